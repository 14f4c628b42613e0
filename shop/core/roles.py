"""The database's roles and their rights, for `manage.py prepare_database`.

The owner owns the tables. The application's role reads and writes, but changes no row of a table
that only grows. The others are made where their URL is given, and have less:

- ``relay`` has what its apps declare as ``relay_rights``, and nothing else.
- ``worker`` has what the application has, but adds nothing to the ledger, the log and the chain. It
  adds to other tables that only grow where their apps declare ``worker_adds``.
- ``reader`` sees the columns that tell nobody who somebody is, by the registry of columns, and the
  views of the schema ``reporting``.
- ``backup`` reads everything, as pg_dump has to.

docs/operations.md has the same as a table, and a test compares it with the database.
"""

from collections.abc import Iterator

from psycopg import sql

from shop.core.apps import append_only_tables, maintained_tables, relay_rights, worker_tables
from shop.core.columns import tables
from shop.core.partitions import SCHEMA, partitioned_tables, rights_to_keep

_REPORTING = sql.Identifier("reporting")
_CHANGES = "SELECT, INSERT, UPDATE, DELETE"
# pg_dump reads each partition by its own name, those of tomorrow, too.
_BACKUP_OF_PARTITIONS = (
    f"GRANT USAGE ON SCHEMA {SCHEMA} TO {{}}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {{}}",
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} GRANT SELECT ON TABLES TO {{}}",
)


def rights_of(kind: str, role: str) -> Iterator[sql.Composed]:
    """Yield the statements that give a role of a kind its rights, and take all others."""
    name = sql.Identifier(role)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name)
    for what in ("TABLES", "SEQUENCES"):
        # A right to a column outlives its table's, so it is taken by itself.
        yield sql.SQL(f"REVOKE ALL ON ALL {what} IN SCHEMA public FROM {{}}").format(name)
    for table in tables():
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
        yield sql.SQL("REVOKE ALL ({}) ON {} FROM {}").format(
            columns, sql.Identifier(table.name), name
        )
    match kind:
        case "relay":
            for table_name, rights in relay_rights():
                yield _grant(rights, table_name, name)
        case "worker":
            yield sql.SQL(f"GRANT {_CHANGES} ON ALL TABLES IN SCHEMA public TO {{}}").format(name)
            yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(
                name
            )
            for table_name in append_only_tables():
                yield _revoke("INSERT, UPDATE, DELETE", table_name, name)
            for table_name in worker_tables():
                yield _grant("INSERT", table_name, name)
            yield _revoke("INSERT, UPDATE, DELETE", "django_migrations", name)
            for table_name in maintained_tables():
                yield _grant("MAINTAIN", table_name, name)
            yield from rights_to_keep(name)
        case "reader":
            for table in tables():
                plain = [column.name for column in table.columns if column.is_plain]
                if plain:
                    columns = sql.SQL(", ").join(map(sql.Identifier, plain))
                    yield sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(
                        columns, sql.Identifier(table.name), name
                    )
            yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(_REPORTING, name)
            yield sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(_REPORTING, name)
        case "backup":
            for what in ("TABLES", "SEQUENCES"):
                yield sql.SQL(f"GRANT SELECT ON ALL {what} IN SCHEMA public TO {{}}").format(name)
            yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(_REPORTING, name)
            if partitioned_tables():
                yield from (sql.SQL(text).format(name) for text in _BACKUP_OF_PARTITIONS)


def _grant(rights: str, table: str, role: sql.Identifier) -> sql.Composed:
    return sql.SQL(f"GRANT {rights} ON {{}} TO {{}}").format(sql.Identifier(table), role)


def _revoke(rights: str, table: str, role: sql.Identifier) -> sql.Composed:
    return sql.SQL(f"REVOKE {rights} ON {{}} FROM {{}}").format(sql.Identifier(table), role)
