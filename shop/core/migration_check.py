"""Judges whether a migration may run while the version before it still serves.

A deploy migrates first and replaces the processes afterwards, so for some minutes the old version
works on the new tables. Three kinds of migrations are refused:

* those that remove what the old version uses;
* those that add what its writes would miss;
* those that hold a lock while PostgreSQL reads or rewrites a whole table, or while another table in
  use is changed.

A reason in the migration itself allows what only a human can judge::

    safe_because = {0: "No running version has read this column since 1.4."}

The key is the index of the operation. A reason that no operation needs is refused as well, because
it would hide the next one. Locks: PostgreSQL's documentation, "ALTER TABLE" and "Explicit Locking".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres import operations as postgres
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.expressions import Value
from django.db.models.functions import Now

from shop.core.locking import AddIndexConcurrently, RemoveIndexConcurrently

# Operations that change no existing table, or change it briefly and compatibly.
_SAFE = (
    operations.AlterConstraint,
    operations.AlterModelManagers,
    operations.AlterModelOptions,
    operations.AlterModelTableComment,
    operations.CreateModel,
    operations.RenameIndex,
    postgres.CreateCollation,
    postgres.CreateExtension,
)


@dataclass(frozen=True)
class Finding:
    """One refused operation, and the reason."""

    migration: str
    place: int
    operation: str
    reason: str

    def __str__(self) -> str:
        return f"{self.migration}, operation {self.place}, {self.operation}: {self.reason}"


@dataclass(frozen=True)
class Context:
    """What a judgement depends on: the state before and after the operation, and its migration."""

    app: str
    before: ProjectState
    after: ProjectState
    migration: Migration

    def field(self, state: ProjectState, model: str, name: str) -> "models.Field[Any, Any]":
        """Return the field of the state, related models included."""
        field: models.Field[Any, Any] = state.apps.get_model(self.app, model)._meta.get_field(name)
        return field


def check_project() -> list[Finding]:
    """Return what is refused in the migrations of the shop's own apps; no server is asked."""
    loader = MigrationLoader(None)
    state = ProjectState(real_apps=loader.unmigrated_apps)
    own = {
        config.label
        for config in apps.get_app_configs()
        if Path(config.path).parent == settings.BASE_DIR
    }
    findings: list[Finding] = []
    for key in _order(loader):
        migration = loader.graph.nodes[key]
        if key[0] in own:
            findings += check_migration(migration, state)
        state = migration.mutate_state(state, preserve=False)
    return findings


def _order(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Return the key of every migration, each after those it depends on."""
    leaves = loader.graph.leaf_nodes()
    return list(dict.fromkeys(key for leaf in leaves for key in loader.graph.forwards_plan(leaf)))


def check_migration(migration: Migration, state: ProjectState) -> list[Finding]:
    """Return what is refused in one migration, given the state before it.

    The first migration of an app is exempt, and so are operations on a table that the migration
    makes. No running version uses such tables, and they have no rows.
    """
    name = f"{migration.app_label}.{migration.name}"
    allowed: dict[int, str] = getattr(migration, "safe_because", {})
    findings: list[Finding] = []
    needed: set[int] = set()
    new: set[str] = set()
    changed = False
    state = state.clone()
    for place, operation in enumerate(migration.operations):
        reasons = [] if migration.initial else list(_judge(operation, migration, state, new))
        if not migration.initial and _changes(operation, migration, state, new):
            if changed and not reasons:
                reasons = [_TOGETHER]
            changed = True
        if reasons and allowed.get(place, "").strip():
            needed.add(place)
        else:
            findings += [Finding(name, place, _describe(operation), reason) for reason in reasons]
        operation.state_forwards(migration.app_label, state)
        if isinstance(operation, operations.CreateModel):
            new.add(operation.name_lower)
    findings += [
        Finding(name, place, "safe_because", "nothing there needs this reason")
        for place in sorted(set(allowed) - needed - {finding.place for finding in findings})
    ]
    return findings


_TOGETHER = (
    "the lock of a change before it is kept meanwhile, and where this fails the other cannot be"
    " repeated; give it a migration of its own"
)


def _changes(
    operation: Operation, migration: Migration, state: ProjectState, new: set[str]
) -> bool:
    """Return whether the operation changes a table that the running version uses."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        state = state.clone()
        for inner in operation.database_operations:
            if _changes(inner, migration, state, new):
                return True
            inner.state_forwards(migration.app_label, state)
        return False
    if isinstance(operation, _SAFE) or getattr(operation, "model_name_lower", "") in new:
        return False
    if isinstance(operation, operations.RunSQL):
        return operation.sql != operations.RunSQL.noop
    if isinstance(operation, operations.RunPython):
        return operation.code is not operations.RunPython.noop
    if isinstance(operation, operations.AlterField):
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        context = Context(migration.app_label, state, after, migration)
        old, altered = (
            context.field(each, operation.model_name, operation.name) for each in (state, after)
        )
        editor: Any = connection.schema_editor()
        return bool(editor._field_should_be_altered(old, altered))
    return True


def _judge(
    operation: Operation, migration: Migration, state: ProjectState, new: set[str]
) -> Iterator[str]:
    """Yield why the operation is refused, on the state before it."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        # An operation that changes Django's state only does not concern the running version.
        state = state.clone()
        for inner in operation.database_operations:
            for reason in _judge(inner, migration, state, new):
                yield f"{_describe(inner)}: {reason}"
            inner.state_forwards(migration.app_label, state)
        return
    model = getattr(operation, "model_name_lower", "") or getattr(operation, "name_lower", "")
    if model in new and not isinstance(operation, operations.CreateModel):
        return
    after = state.clone()
    operation.state_forwards(migration.app_label, after)
    yield from _refuse(operation, Context(migration.app_label, state, after, migration))


@singledispatch
def _refuse(operation: Operation, context: Context) -> Iterator[str]:
    if not isinstance(operation, _SAFE):
        yield "it is not among the operations known to be safe"


@_refuse.register
def _(operation: operations.RunSQL, context: Context) -> Iterator[str]:
    if operation.sql != operations.RunSQL.noop:
        yield "SQL cannot be judged here; say in safe_because what it locks and for how long"


@_refuse.register
def _(operation: operations.RunPython, context: Context) -> Iterator[str]:
    if operation.code is not operations.RunPython.noop:
        yield "code cannot be judged here; say in safe_because what it locks and for how long"


@_refuse.register
def _(operation: operations.DeleteModel, context: Context) -> Iterator[str]:
    yield "the running version still uses it; forget the model first, drop it a version later"


@_refuse.register
def _(operation: operations.RenameModel, context: Context) -> Iterator[str]:
    table = context.before.apps.get_model(context.app, operation.old_name)._meta.db_table
    if context.after.apps.get_model(context.app, operation.new_name)._meta.db_table != table:
        yield "the running version uses the old table; keep its name by db_table"


@_refuse.register
def _(operation: operations.AlterModelTable, context: Context) -> Iterator[str]:
    model = context.before.apps.get_model(context.app, operation.name)
    if context.after.apps.get_model(context.app, operation.name)._meta.db_table != (
        model._meta.db_table
    ):
        yield "the running version uses the old name of the table"


@_refuse.register
def _(operation: operations.RemoveField, context: Context) -> Iterator[str]:
    yield "the running version still uses it; forget the field first, drop it a version later"


@_refuse.register
def _(operation: operations.RenameField, context: Context) -> Iterator[str]:
    old = context.field(context.before, operation.model_name, operation.old_name)
    new = context.field(context.after, operation.model_name, operation.new_name)
    if old.column != new.column:
        yield "the running version uses the old column; keep its name by db_column"


@_refuse.register
def _(operation: operations.AddField, context: Context) -> Iterator[str]:
    field = context.field(context.after, operation.model_name, operation.name)
    if field.many_to_many or field.column is None:
        return
    if getattr(field, "generated", False):
        if getattr(field, "db_persist", True):
            yield "PostgreSQL rewrites the table to compute a stored column"
        return
    if not field.has_db_default() and not field.null:
        yield "the running version writes no value for it; give db_default or null=True"
    if field.has_db_default() and not _is_stable(field.db_default):
        yield "PostgreSQL rewrites the table for a default that differs from row to row"
    yield from _refuse_index(field)


@_refuse.register
def _(operation: operations.AlterField, context: Context) -> Iterator[str]:
    old = context.field(context.before, operation.model_name, operation.name)
    new = context.field(context.after, operation.model_name, operation.name)
    if old.many_to_many or new.many_to_many:
        if old.many_to_many != new.many_to_many:
            yield "the running version uses the old column or table"
        return
    if old.column != new.column:
        yield "the running version uses the old column; keep its name by db_column"
    if old.null and not new.null:
        yield "SET NOT NULL reads the whole table under a lock, and the running version writes NULL"
    if old.has_db_default() and not new.has_db_default() and not new.null:
        yield "the running version leaves this value to the database's default"
    yield from _refuse_type(old, new)
    if new.unique and not old.unique:
        yield "a unique index is built while nothing can be written"
    elif _is_indexed(new) and not _is_indexed(old):
        yield "the index is built while nothing can be written; use AddIndexConcurrently"
    if old.unique and not new.unique:
        yield "the running version may rely on the unique index, as ON CONFLICT does"
    if _reference(new) and _reference(new) != _reference(old):
        yield "the foreign key is checked for every row under a lock; add it NOT VALID by RunSQL"


@_refuse.register
def _(operation: operations.AddIndex, context: Context) -> Iterator[str]:
    yield "the index is built while nothing can be written; use AddIndexConcurrently"


@_refuse.register
def _(operation: operations.RemoveIndex, context: Context) -> Iterator[str]:
    yield "it waits for every reader and holds up those behind it; use RemoveIndexConcurrently"


@_refuse.register(postgres.AddIndexConcurrently)
@_refuse.register(postgres.RemoveIndexConcurrently)
def _concurrently(operation: Operation, context: Context) -> Iterator[str]:
    if not isinstance(operation, (AddIndexConcurrently, RemoveIndexConcurrently)):
        yield "it fails beside a long transaction; use that of shop.core.locking"
    if context.migration.atomic:
        yield "it cannot run in a transaction; set atomic = False"


@_refuse.register
def _(operation: operations.AddConstraint, context: Context) -> Iterator[str]:
    if isinstance(operation, postgres.AddConstraintNotValid):
        return
    if isinstance(operation.constraint, models.CheckConstraint):
        yield "it is checked for every row under a lock; use AddConstraintNotValid"
    else:
        yield "its index is built while nothing can be written; build it concurrently by RunSQL"


@_refuse.register
def _(operation: postgres.ValidateConstraint, context: Context) -> Iterator[str]:
    added = any(
        isinstance(other, postgres.AddConstraintNotValid) for other in context.migration.operations
    )
    if context.migration.atomic and added:
        yield "the lock of AddConstraintNotValid is kept meanwhile; validate in the next migration"


@_refuse.register
def _(operation: operations.RemoveConstraint, context: Context) -> Iterator[str]:
    model = context.before.models[context.app, operation.model_name_lower]
    if not isinstance(model.get_constraint_by_name(operation.name), models.CheckConstraint):
        yield "the running version may rely on its index, as ON CONFLICT does"


@_refuse.register(operations.AlterUniqueTogether)
@_refuse.register(operations.AlterIndexTogether)
@_refuse.register(operations.AlterOrderWithRespectTo)
def _together(operation: Operation, context: Context) -> Iterator[str]:
    yield "its index is built while nothing can be written; use Meta.constraints and Meta.indexes"


def _refuse_index(field: "models.Field[Any, Any]") -> Iterator[str]:
    if field.unique:
        yield "a unique index is built while nothing can be written"
    elif _is_indexed(field):
        yield (
            "its index is built while nothing can be written; db_index=False, then "
            "AddIndexConcurrently"
        )


def _refuse_type(old: "models.Field[Any, Any]", new: "models.Field[Any, Any]") -> Iterator[str]:
    before, after = old.db_parameters(connection), new.db_parameters(connection)
    if before["type"] != after["type"] and not _is_wider(old, new):
        yield f"PostgreSQL rewrites or reads the table for {before['type']} to {after['type']}"
    elif before.get("collation") != after.get("collation"):
        yield "PostgreSQL builds the indexes of the column anew for another collation"
    if after["check"] and before["check"] != after["check"]:
        yield "its check is made for every row under a lock"


def _is_wider(old: "models.Field[Any, Any]", new: "models.Field[Any, Any]") -> bool:
    """Return whether PostgreSQL changes the type in its catalogue only, as its manual says."""
    if isinstance(new, models.TextField):
        return isinstance(old, models.CharField)
    if isinstance(old, models.CharField) and isinstance(new, models.CharField):
        return new.max_length is None or (old.max_length or new.max_length + 1) <= new.max_length
    if isinstance(old, models.DecimalField) and isinstance(new, models.DecimalField):
        return old.decimal_places == new.decimal_places and old.max_digits <= new.max_digits
    return False


def _is_indexed(field: "models.Field[Any, Any]") -> bool:
    return bool(getattr(field, "db_index", False)) or field.unique


def _is_stable(default: Any) -> bool:
    if isinstance(default, Value):
        return True
    return isinstance(default, Now) or not hasattr(default, "resolve_expression")


def _reference(field: "models.Field[Any, Any]") -> str:
    """Return the table and column that a foreign key in the database refers to."""
    if not isinstance(field, models.ForeignKey) or not getattr(field, "db_constraint", True):
        return ""
    target = field.target_field
    return f"{target.model._meta.db_table}.{target.column}"


def _describe(operation: Operation) -> str:
    model = getattr(operation, "model_name", "")
    name = getattr(operation, "old_name", "") or getattr(operation, "name", "")
    for part in ("index", "constraint"):
        name = name or getattr(getattr(operation, part, None), "name", "")
    subject = ".".join(part for part in (model, name) if isinstance(part, str) and part)
    return f"{type(operation).__name__} {subject}".strip()
