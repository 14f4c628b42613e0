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


def _owner(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"DATABASE_ROLE": "owner"}


class _Server:
    """Databases whose owner may make roles and nothing else, on the server of tests."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.mark = uuid.uuid4().hex[:8]
        self.owner, self.role = f"owner_{self.mark}", f"app_{self.mark}"
        self._do(
            "CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}",
            sql.Identifier(self.owner), sql.Literal(f"secret-{self.mark}"),
        )  # fmt: skip

    def _do(self, statement: str, *parts: sql.Composable) -> None:
        self.connection.execute(sql.SQL(statement).format(*parts))

    def create(self, database: str, template: str = "template1") -> dict[str, str]:
        """Create a database. Return its environment."""
        names = (sql.Identifier(name) for name in (database, self.owner, template))
        self._do("CREATE DATABASE {} OWNER {} TEMPLATE {}", *names)
        where = conninfo_to_dict(os.environ["DATABASE_URL"])
        address = f"host={quote(str(where['host']), safe='')}"
        address += f"&port={where['port']}" if "port" in where else ""
        owner, role = (
            f"postgresql://{user}:secret-{self.mark}@/{database}?{address}"
            for user in (self.owner, self.role)
        )
        return {"DATABASE_OWNER_URL": owner, "DATABASE_URL": role}

    def drop(self, database: str) -> None:
        self._do("DROP DATABASE {} (FORCE)", sql.Identifier(database))

    def drop_roles(self) -> None:
        for name in (self.role, self.owner):
            self._do("DROP ROLE IF EXISTS {}", sql.Identifier(name))


@pytest.fixture(scope="session")
def _prepared_once() -> Iterator[tuple[_Server, str]]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        server = _Server(connection)
        database = f"prepared_{server.mark}"
        manage(_owner(server.create(database)), "prepare_database", "--verbosity", "0")
        yield server, database
        server.drop(database)
        server.drop_roles()


@pytest.fixture
def prepared(_prepared_once: tuple[_Server, str]) -> Iterator[dict[str, str]]:
    """Yield the environment of a copy of a database that such an owner has prepared when empty.

    The tests share its roles.
    """
    server, original = _prepared_once
    database = f"copy_{uuid.uuid4().hex[:8]}"
    yield server.create(database, original)
    server.drop(database)


def manage(environment: dict[str, str], *words: str) -> str:
    result = subprocess.run(
        [sys.executable, "manage.py", *words],
        env=os.environ | environment,
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout
