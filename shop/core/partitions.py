"""Tables of a time series, in partitions of a day or a month: what is too old is dropped whole.

The application's role creates and drops nothing. So the migration of such a table also makes two
functions that run as the owner, and do nothing but make and drop partitions of this one table. They
live in a schema of their own, ``partitions``, in which the application has no rights: rows are read
and written by the table's own name.

A migration makes the table by ``CreatePartitioned`` instead of ``CreateModel``. An app declares how
long the rows are kept::

    class OperationsConfig(ShopAppConfig):
        partitions = ("operations.retention.RETENTIONS",)

    RETENTIONS = (Retention("operations_minute", days=lambda: 8),)

``keep_partitions`` then has what it needs. Beat calls it every hour, ``prepare_database`` at each
start.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, cast

import structlog
from django.db import DatabaseError, connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import CreateModel
from django.db.migrations.state import ProjectState
from psycopg import sql

from shop.core.apps import declared

logger = structlog.get_logger(__name__)

SCHEMA = "partitions"
AHEAD_DAYS = {"day": 3, "month": 40}
"""How far ahead partitions are made, by their length: an outage of beat may last as long."""

_SETTINGS = (
    "LANGUAGE plpgsql SECURITY DEFINER"
    " SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'"
)
# What is attached needs no lock that stops readers or writers, unlike CREATE ... PARTITION OF.
_MAKE = """
CREATE FUNCTION public.{make}(first date, last date) RETURNS integer {settings} AS $function$
DECLARE
    parent text;
    begins date;
    name text;
    made integer := 0;
BEGIN
    IF first IS NULL OR last IS NULL OR last > current_date + 100 OR last - first > 4000 THEN
        RAISE EXCEPTION 'Partitions end within 100 days.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('{table}'));
    FOREACH parent IN ARRAY ARRAY[{parents}] LOOP
        FOR begins IN SELECT generate_series(
            date_trunc('{every}', first), last, interval '1 {every}')::date
        LOOP
            name := format('%s_%s', split_part(parent, '.', 2), to_char(begins, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass('{schema}.' || name) IS NOT NULL;
            EXECUTE format('CREATE TABLE {schema}.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)',
                name, parent);
            EXECUTE format('ALTER TABLE %s ATTACH PARTITION {schema}.%I'
                ' FOR VALUES FROM (%L) TO (%L)', parent, name,
                begins::timestamptz, begins::timestamptz + interval '1 {every}');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $function$
"""
# One at a time, because the lock on the table lasts until the transaction ends.
_DROP = """
CREATE FUNCTION public.{drop}(family text, keep_days integer) RETURNS text {settings} AS $function$
DECLARE
    parent text := '{own}' || CASE WHEN family = '' THEN '' ELSE '_' || family END;
    name text;
BEGIN
    IF keep_days IS NULL OR keep_days < 1 OR parent <> ALL (ARRAY[{parents}]) THEN
        RAISE EXCEPTION 'Rows are kept for a day at least.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT relname INTO name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass(parent)
      AND to_date(right(relname, 8), 'YYYYMMDD') + interval '1 {every}' <= current_date - keep_days
    ORDER BY relname LIMIT 1;
    IF name IS NOT NULL THEN
        EXECUTE format('DROP TABLE {schema}.%I', name);
    END IF;
    RETURN name;
END $function$
"""


class CreatePartitioned(CreateModel):
    """An operation of a migration: make the model's table, in partitions by the time ``by``.

    Each holds a ``day`` or a ``month`` (``every``), in UTC. Every unique index has to contain the
    column ``by``, so the model needs a ``CompositePrimaryKey``. ``families`` are the values of the
    column ``split``, whose rows are kept for times of their own; that column is in the primary key,
    too.
    """

    def __init__(
        self,
        name: str,
        fields: Sequence[tuple[str, Any]],
        *,
        by: str,
        every: str = "day",
        split: str = "",
        families: Sequence[str] = (),
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, list(fields), options=options)
        self.by, self.every, self.split, self.families = by, every, split, tuple(families)

    def deconstruct(self) -> Any:
        _, args, kwargs = super().deconstruct()
        kwargs |= {"by": self.by, "every": self.every}
        if self.split:
            kwargs |= {"split": self.split, "families": self.families}
        return (type(self).__qualname__, args, kwargs)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        editor: Any = schema_editor
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        by_time = f"PARTITION BY RANGE ({editor.quote_name(self.by)})"
        by_family = f"PARTITION BY LIST ({editor.quote_name(self.split)})"
        usual = editor.sql_create_table
        editor.sql_create_table = f"{usual} {by_family if self.split else by_time}"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            editor.sql_create_table = usual
        editor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}", params=None)
        for family in self.families:
            editor.execute(
                f"CREATE TABLE {SCHEMA}.{table}_{family} PARTITION OF {table}"
                f" FOR VALUES IN ('{family}') {by_time}",
                params=None,
            )
        own = f"{SCHEMA}.{table}" if self.split else f"public.{table}"
        parents = [f"{own}_{family}" for family in self.families] or [own]
        words = {
            "table": table,
            "own": own,
            "parents": ", ".join(f"'{parent}'" for parent in parents),
            "every": self.every,
            "schema": SCHEMA,
            "settings": _SETTINGS,
            "make": _make(table),
            "drop": _drop(table),
        }
        for text in (_MAKE, _DROP):
            editor.execute(text.format(**words), params=None)
        for function in _functions(table):
            editor.execute(f"REVOKE ALL ON FUNCTION public.{function} FROM PUBLIC", params=None)
        first, last = _reach(self.every)
        editor.execute(f"SELECT public.{_make(table)}(%s, %s)", [first, last])

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = from_state.apps.get_model(app_label, self.name)._meta.db_table
        super().database_backwards(app_label, schema_editor, from_state, to_state)
        for function in _functions(table):
            schema_editor.execute(f"DROP FUNCTION public.{function}", params=None)

    def describe(self) -> str:
        return f"Create model {self.name}, in partitions of a {self.every}"


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days the rows of a table are kept, or those of one of its families."""

    table: str
    days: Callable[[], int]
    family: str = ""
    every: str = "day"


def retentions() -> list[Retention]:
    """Return what the apps declare."""
    return list(chain.from_iterable(cast(Any, declared("partitions"))))


def partitioned_tables() -> Mapping[str, str]:
    """Return the length of the partitions, ``day`` or ``month``, by table."""
    return {one.table: one.every for one in retentions()}


def make_partitions(table: str, first: date | None = None, last: date | None = None) -> int:
    """Make the partitions for these days, or for those to come. Return how many were missing."""
    usual = _reach(partitioned_tables()[table])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT public.{_make(table)}(%s, %s)", [first or usual[0], last or usual[1]]
        )
        (made,) = cursor.fetchone()
    return int(made)


def drop_partitions(retention: Retention) -> list[str]:
    """Drop what is older than the rows are kept. Return the names of the partitions."""
    dropped: list[str] = []
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                f"SELECT public.{_drop(retention.table)}(%s, %s)",
                [retention.family, retention.days()],
            )
            (name,) = cursor.fetchone()
            if name is None:
                return dropped
            dropped.append(name)


def keep_partitions() -> None:
    """Make the partitions of the days to come, and drop the old ones, of every table.

    What waits too long for a lock is left for the next time.
    """
    works: list[tuple[str, Callable[[], Any]]] = [
        *((table, partial(make_partitions, table)) for table in partitioned_tables()),
        *((one.table, partial(drop_partitions, one)) for one in retentions()),
    ]
    for table, work in works:
        try:
            if done := work():
                logger.info("partitions.kept", table=table, done=done)
        except DatabaseError as error:
            logger.warning("partitions.failed", table=table, reason=str(error))


def rights_to_keep(role: sql.Identifier) -> list[sql.Composed]:
    """Return the statements that let a role make and drop partitions, and nobody else.

    A restore forgets who may not, so it is said again.
    """
    return [
        sql.SQL(text).format(function=sql.SQL(f"public.{function}"), role=role)
        for table in partitioned_tables()
        for function in _functions(table)
        for text in (
            "REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
            "GRANT EXECUTE ON FUNCTION {function} TO {role}",
        )
    ]


def _reach(every: str) -> tuple[date, date]:
    today = datetime.now(UTC).date()
    return today - timedelta(days=1), today + timedelta(days=AHEAD_DAYS[every])


def _make(table: str) -> str:
    return f"make_{table}"


def _drop(table: str) -> str:
    return f"drop_{table}"


def _functions(table: str) -> list[str]:
    return [f"{_make(table)}(date, date)", f"{_drop(table)}(text, integer)"]
