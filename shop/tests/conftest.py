"""A database as managed servers give one, and the commands of the site on it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


@pytest.fixture
def managed() -> Iterator[dict[str, str]]:
    """Yield the environment of a database whose owner may make roles and nothing else."""
    server = os.environ["DATABASE_URL"]
    where = conninfo_to_dict(server)
    mark = uuid.uuid4().hex[:8]
    owner, role, database = f"owner_{mark}", f"app_{mark}", f"managed_{mark}"

    def url(user: str) -> str:
        address = f"host={quote(str(where['host']), safe='')}"
        port = f"&port={where['port']}" if "port" in where else ""
        return f"postgresql://{user}:secret-{mark}@/{database}?{address}{port}"

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                sql.Identifier(owner), sql.Literal(f"secret-{mark}")
            )
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(database), sql.Identifier(owner)
            )
        )
        yield {"DATABASE_OWNER_URL": url(owner), "DATABASE_URL": url(role)}
        connection.execute(sql.SQL("DROP DATABASE {} (FORCE)").format(sql.Identifier(database)))
        for name in (role, owner):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def manage(environment: dict[str, str], *words: str) -> str:
    result = subprocess.run(
        [sys.executable, "manage.py", *words],
        env=os.environ | environment,
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout
