"""Migrate a database, and give the application's role the rights that it needs and no others."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from shop.core.apps import append_only_tables, maintained_tables
from shop.core.locking import LOCK_MILLISECONDS, patiently
from shop.core.partitions import keep_partitions, rights_to_keep
from shop.core.restored import NOT_REPLAYED, is_replayed
from shop.core.roles import rights_of
from shop.core.sealing import Unsealable, require_keys

LOCK = 7_265_001_913


class Command(BaseCommand):
    help = (
        "Migrates where needed, makes the application's database role and grants it its rights. "
        "Run it as the role that owns the tables, with DATABASE_ROLE=owner."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before-replay",
            action="store_true",
            help="prepare a database whose restore has not ended, so that it can be ended",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Everything that serves is started after this command only.
        if not options["before_replay"] and not is_replayed():
            raise CommandError(NOT_REPLAYED)
        with connection.cursor() as cursor:
            # A second start at the same time waits for the first.
            cursor.execute("SET lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            cursor.execute(f"SET lock_timeout = '{LOCK_MILLISECONDS}ms'")
            try:
                executor = MigrationExecutor(connection)
                if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
                    # What was applied stays; a migration that did not get its lock is repeated.
                    patiently(lambda: self._migrate(options["verbosity"]))
                    self.stdout.write(f"Applied {len(plan)} migrations.")
                self._grant()
                keep_partitions()
                require_keys()
            except Unsealable as error:
                raise CommandError(str(error)) from None
            finally:
                cursor.execute("RESET lock_timeout")
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

    @staticmethod
    def _migrate(verbosity: int) -> None:
        call_command("migrate", verbosity=verbosity, interactive=False)

    def _grant(self) -> None:
        role = settings.DATABASE_APPLICATION.get("user", "")
        if not role or role == connection.settings_dict["USER"]:
            self.stdout.write("One role owns the tables and runs the application.")
            return
        self._make("application", settings.DATABASE_APPLICATION)
        for kind, parameters in settings.DATABASE_FURTHER_ROLES.items():
            self._make(kind, parameters)

    @staticmethod
    def _make(kind: str, parameters: Mapping[str, str]) -> None:
        role = parameters["user"]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolinherit FROM pg_roles"
                " WHERE rolname = %s",
                [role],
            )
            existing = cursor.fetchone()
            verifier = _verifier(cursor.connection, role, parameters.get("password", ""))
            for statement in _attributes(role, existing, verifier):
                cursor.execute(statement.as_string(cursor.connection))
            rights = _application(role) if kind == "application" else rights_of(kind, role)
            for statement in rights:
                cursor.execute(statement.as_string(cursor.connection))


RIGHTS = ("SUPERUSER", "CREATEDB", "CREATEROLE", "INHERIT")


def _verifier(connection: psycopg.Connection, role: str, password: str) -> str:
    """Return the hash of the role's password that the server keeps; empty if there is none.

    The password itself stays in this process, because a statement could end up in the server's log.
    """
    if not password:
        return ""
    # Without an algorithm, libpq asks for the server's `password_encryption`.
    return connection.pgconn.encrypt_password(password.encode(), role.encode()).decode()


def _attributes(role: str, existing: tuple[bool, ...] | None, verifier: str) -> list[sql.Composed]:
    """Return the statements that set the role's attributes; ``existing`` are its present ones."""
    name = sql.Identifier(role)
    # An owner that is no superuser, as on managed servers, may not name an attribute that the role
    # lacks.
    taken = [
        right for right, has in zip(RIGHTS, existing or [True] * len(RIGHTS), strict=True) if has
    ]
    statements = [
        sql.SQL("{} ROLE {} {}").format(
            sql.SQL("ALTER" if existing else "CREATE"),
            name,
            sql.SQL(" ".join(["LOGIN", *(f"NO{right}" for right in taken)])),
        )
    ]
    if verifier:
        statements.append(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier)))
    return statements


def _application(role: str) -> list[sql.Composed]:
    """Return the statements that give the application's role its rights, and take all others."""
    name = sql.Identifier(role)
    statements = [
        sql.SQL(text).format(role=name)
        for text in (
            "GRANT USAGE ON SCHEMA public TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
        )
    ]
    statements += [
        sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), name)
        for table in append_only_tables()
    ]
    statements += [
        sql.SQL("GRANT MAINTAIN ON {} TO {}").format(sql.Identifier(table), name)
        for table in maintained_tables()
    ]
    return statements + rights_to_keep(name)
