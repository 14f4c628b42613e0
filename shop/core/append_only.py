"""Tables that only grow: the database itself refuses to change or delete a row.

An app declares its ``append_only`` models, to which the application's role may then only add rows.
The triggers of the migration stop even the owner of the tables.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shop.core.apps import append_only_tables
from shop.core.ledger import LedgerCheck, Say

_FUNCTION = """
CREATE OR REPLACE FUNCTION shop_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Rows of this table are only added: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Correct a row by a new one.';
END
$$
"""
# Django empties the databases of tests after each test that commits. No other is named like them.
_WHOLE = r"""
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table} FOR EACH STATEMENT
WHEN (current_database() NOT LIKE 'test\_%') EXECUTE FUNCTION shop_refuse_change()
"""
# The triggers fire before (2) each row (1) is changed (16) or deleted (8), and all are (32).
_GUARDED = """
SELECT coalesce(bit_or(tgtype::int & CASE tgtype::int & 3 WHEN 3 THEN 24 ELSE 32 END), 0)
FROM pg_trigger
WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled IN ('O', 'A')
  AND tgtype::int & 2 = 2
"""
_ALL = 24 + 32


def refuse_truncate(*tables: str) -> str:
    """Return the SQL by which the tables, and all that only grow already, cannot be emptied.

    Those are tables whose migration was applied before ``AppendOnly`` refused that.
    """
    named = ", ".join(f"'{table}'" for table in tables)
    whole = _WHOLE.strip().replace("'", "''").replace("%", "%%").format(table="%s")
    return f"""{_FUNCTION};
    DO $$
    DECLARE
        each regclass;
    BEGIN
        FOR each IN
            SELECT oid FROM pg_class AS class
            WHERE (oid = ANY (ARRAY[{named}]::regclass[]) OR EXISTS (
                SELECT FROM pg_trigger
                WHERE tgrelid = class.oid AND tgname = 'append_only' AND tgparentid = 0))
              AND NOT EXISTS (
                SELECT FROM pg_trigger
                WHERE tgrelid = class.oid AND tgname = 'append_only_whole')
        LOOP
            EXECUTE format('{whole}', each);
        END LOOP;
    END
    $$"""  # noqa: S608


class AppendOnly(Operation):
    """An operation of a migration: from now on, rows of the model are only added.

    ``erasable`` are columns that an erasure may empty. A table with some is not declared as
    ``append_only``, because the application needs the right to change them.
    """

    reversible = True

    def __init__(self, model: str, erasable: Sequence[str] = ()) -> None:
        self.model = model
        self.erasable = tuple(erasable)

    @property
    def model_name_lower(self) -> str:
        """Return the name by which other operations know the model, as Django's have it."""
        return self.model.lower()

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change nothing, because Django's state of the model stays the same."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = self._table(app_label, schema_editor, to_state)
        schema_editor.execute(_FUNCTION, params=None)
        fields = to_state.apps.get_model(app_label, self.model)._meta.concrete_fields
        columns = [field.column for field in fields if field.column]
        kept = [column for column in columns if column not in self.erasable]
        changed = f" OF {', '.join(map(schema_editor.quote_name, kept))}" if self.erasable else ""
        schema_editor.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE{changed} OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION shop_refuse_change()"
        )
        schema_editor.execute(_WHOLE.format(table=table), params=None)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = self._table(app_label, schema_editor, from_state)
        schema_editor.execute(f"DROP TRIGGER append_only ON {table}")
        schema_editor.execute(f"DROP TRIGGER append_only_whole ON {table}")

    def describe(self) -> str:
        return f"Let rows of {self.model} only be added"

    def _table(self, app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState) -> Any:
        return editor.quote_name(state.apps.get_model(app_label, self.model)._meta.db_table)


def _unguarded(say: Say) -> Iterator[str]:
    with connection.cursor() as cursor:
        for table in append_only_tables():
            cursor.execute(_GUARDED, [table])
            (guarded,) = cursor.fetchone() or (0,)
            if guarded != _ALL:
                yield f"{table} can be changed by who owns it"


CHECKS = (LedgerCheck("The database refuses to change what is only added.", _unguarded),)
