"""Every kind of migration that the running version would not survive is refused; others pass."""

from typing import Any

import pytest
from django.contrib.postgres import operations as postgres
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now, Random

from shop.core import locking, migration_check
from shop.core.migration_check import check_migration, check_project

BOOK = migrations.CreateModel(
    "Book",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("title", models.CharField(max_length=100)),
        ("note", models.CharField(max_length=100, null=True)),
        ("code", models.CharField(max_length=20, unique=True)),
        ("stock", models.IntegerField(default=0)),
        ("place", models.BigIntegerField(null=True)),
        ("price", models.DecimalField(max_digits=10, decimal_places=2)),
        ("added_at", models.DateTimeField(db_default=Now())),
    ],
    options={
        "indexes": [models.Index(fields=["title"], name="by_title")],
        "constraints": [
            models.CheckConstraint(condition=models.Q(stock__gte=0), name="in_stock"),
            models.UniqueConstraint(fields=["title", "price"], name="once"),
        ],
    },
)
SHELF = migrations.CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True))])
CHECK = models.CheckConstraint(condition=models.Q(price__gte=0), name="priced")
INDEX = models.Index(fields=["price"], name="by_price")


class Unknown(Operation):
    """An operation of another project."""

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing."""


def check(*operations: Any, atomic: bool = True, **attributes: Any) -> list[str]:
    """Return what is refused in a second migration of these operations."""
    state = ProjectState()
    for operation in (BOOK, SHELF):
        operation.state_forwards("shop", state)
    kind = type(
        "Migration",
        (migrations.Migration,),
        {
            "operations": list(operations),
            "dependencies": [("shop", "0001_initial")],
            "atomic": atomic,
            "initial": None,
            **attributes,
        },
    )
    return [str(finding) for finding in check_migration(kind("0002_change", "shop"), state)]


def add(field: models.Field, name: str = "extra") -> migrations.AddField:
    return migrations.AddField("book", name, field)


def alter(name: str, field: models.Field) -> migrations.AlterField:
    return migrations.AlterField("book", name, field)


REFUSED = {
    "a dropped table": (migrations.DeleteModel("Book"), "still uses it"),
    "a renamed table": (migrations.RenameModel("Book", "Volume"), "old table"),
    "another db_table": (migrations.AlterModelTable("book", "volumes"), "old name"),
    "a dropped column": (migrations.RemoveField("book", "note"), "still uses it"),
    "a renamed column": (migrations.RenameField("book", "note", "remark"), "old column"),
    "a column by db_column": (
        alter("note", models.CharField(max_length=100, null=True, db_column="remark")),
        "old column",
    ),
    "a column without a default": (add(models.IntegerField(default=1)), "db_default"),
    "a default per row": (add(models.FloatField(db_default=Random())), "rewrites"),
    "a stored generated column": (
        add(
            models.GeneratedField(
                expression=models.F("stock") + 1,
                output_field=models.IntegerField(),
                db_persist=True,
            )
        ),
        "rewrites",
    ),
    "a unique column": (add(models.IntegerField(null=True, unique=True)), "unique index"),
    "an indexed column": (add(models.IntegerField(null=True, db_index=True)), "index is built"),
    "a foreign key with its index": (
        add(models.ForeignKey("shop.Shelf", models.CASCADE, null=True)),
        "index is built",
    ),
    "not null": (alter("note", models.CharField(max_length=100)), "NOT NULL"),
    "a default taken away": (alter("added_at", models.DateTimeField()), "database's default"),
    "another type": (alter("stock", models.BigIntegerField(default=0)), "integer to bigint"),
    "a shorter text": (alter("title", models.CharField(max_length=50)), "varchar(50)"),
    "more decimals": (
        alter("price", models.DecimalField(max_digits=12, decimal_places=4)),
        "numeric(12, 4)",
    ),
    "another collation": (
        alter("title", models.CharField(max_length=100, db_collation="C")),
        "collation",
    ),
    "a check of a type": (alter("stock", models.PositiveIntegerField(default=0)), "its check"),
    "a unique index": (alter("title", models.CharField(max_length=100, unique=True)), "unique"),
    "an index of a field": (
        alter("title", models.CharField(max_length=100, db_index=True)),
        "AddIndexConcurrently",
    ),
    "no longer unique": (alter("code", models.CharField(max_length=20)), "ON CONFLICT"),
    "a foreign key from a number": (
        alter(
            "place",
            models.ForeignKey(
                "shop.Shelf", models.CASCADE, null=True, db_column="place", db_index=False
            ),
        ),
        "NOT VALID",
    ),
    "an index": (migrations.AddIndex("book", INDEX), "AddIndexConcurrently"),
    "an index in a transaction": (locking.AddIndexConcurrently("book", INDEX), "atomic = False"),
    "a dropped index": (migrations.RemoveIndex("book", "by_title"), "RemoveIndexConcurrently"),
    "a constraint": (migrations.AddConstraint("book", CHECK), "AddConstraintNotValid"),
    "a unique constraint": (
        migrations.AddConstraint(
            "book", models.UniqueConstraint(fields=["price"], name="one_price")
        ),
        "concurrently",
    ),
    "a dropped unique constraint": (migrations.RemoveConstraint("book", "once"), "ON CONFLICT"),
    "unique together": (
        migrations.AlterUniqueTogether("book", {("title", "stock")}),
        "Meta.constraints",
    ),
    "SQL": (migrations.RunSQL("LOCK TABLE shop_book"), "safe_because"),
    "code": (migrations.RunPython(print), "safe_because"),
    "both at once": (
        migrations.SeparateDatabaseAndState([migrations.RemoveField("book", "note")], []),
        "RemoveField book.note",
    ),
    "what is not known": (
        Unknown(),
        "not among",
    ),
}

TAKEN = {
    "a new table": migrations.CreateModel(
        "Author", [("id", models.BigAutoField(primary_key=True))]
    ),
    "a column of the same name": migrations.RenameField("book", "price", "price"),
    "a column that may be null": add(models.CharField(max_length=10, null=True)),
    "a column with a default": add(models.IntegerField(db_default=0)),
    "the time of the statement": add(models.DateTimeField(db_default=Now())),
    "many to many": add(models.ManyToManyField("shop.Shelf")),
    "a foreign key without its index": add(
        models.ForeignKey("shop.Shelf", models.CASCADE, null=True, db_index=False)
    ),
    "a longer text": alter("title", models.CharField(max_length=300)),
    "an endless text": alter("note", models.TextField(null=True)),
    "more digits": alter("price", models.DecimalField(max_digits=12, decimal_places=2)),
    "null": alter("title", models.CharField(max_length=100, null=True)),
    "words only": alter("title", models.CharField("name", max_length=100, help_text="Its name")),
    "a check not validated": postgres.AddConstraintNotValid("book", CHECK),
    "a dropped check": migrations.RemoveConstraint("book", "in_stock"),
    "a field forgotten": migrations.SeparateDatabaseAndState(
        [], [migrations.RemoveField("book", "note")]
    ),
    "nothing": migrations.RunSQL(migrations.RunSQL.noop),
}


@pytest.mark.parametrize(("operation", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses_what_the_running_version_would_not_survive(operation: Any, reason: str) -> None:
    refused = check(operation)
    assert len(refused) == 1, refused
    assert refused[0].startswith("shop.0002_change, operation 0, ")
    assert reason in refused[0]
    assert "\n" not in refused[0]


@pytest.mark.parametrize("operation", TAKEN.values(), ids=TAKEN)
def test_takes_what_it_survives(operation: Any) -> None:
    assert check(operation) == []


@pytest.mark.parametrize("operation", [BOOK, REFUSED["SQL"][0], REFUSED["an index"][0]])
def test_the_first_migration_is_exempt(operation: Any) -> None:
    assert check(operation, initial=True) == []


def test_concurrent_indexes_are_taken_outside_a_transaction() -> None:
    assert check(locking.AddIndexConcurrently("book", INDEX), atomic=False) == []
    assert check(locking.RemoveIndexConcurrently("book", "by_title"), atomic=False) == []


@pytest.mark.parametrize(
    "operation",
    [
        postgres.AddIndexConcurrently("book", INDEX),
        postgres.RemoveIndexConcurrently("book", "by_title"),
    ],
)
def test_concurrent_indexes_are_those_that_wait(operation: Any) -> None:
    assert ["long transaction" in line for line in check(operation, atomic=False)] == [True]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    "second",
    [
        TAKEN["a column with a default"],
        TAKEN["a longer text"],
        TAKEN["a dropped check"],
        migrations.SeparateDatabaseAndState([TAKEN["a longer text"]], []),
    ],
)
def test_two_changes_of_tables_in_use_are_two_migrations(second: Any, atomic: bool) -> None:
    first = TAKEN["a column that may be null"]
    refused = check(first, second, atomic=atomic)
    assert ["operation 1, " in line and "migration of its own" in line for line in refused] == [
        True
    ]
    assert check(first, second, atomic=atomic, safe_because={1: "Nobody has it yet."}) == []


@pytest.mark.parametrize("second", ["a new table", "words only", "a field forgotten", "nothing"])
def test_what_changes_no_table_in_use_comes_with_a_change(second: str) -> None:
    assert check(TAKEN["a column that may be null"], TAKEN[second]) == []


def test_a_table_of_the_same_migration_is_new() -> None:
    author = TAKEN["a new table"]
    field = migrations.AddField("author", "name", models.CharField(max_length=9, unique=True))
    assert check(author, field) == []
    assert len(check(author, field, REFUSED["an index"][0])) == 1


def test_a_constraint_is_validated_in_a_migration_of_its_own() -> None:
    added = postgres.AddConstraintNotValid("book", CHECK)
    validated = postgres.ValidateConstraint("book", "priced")
    assert check(validated) == []
    assert ["next migration" in line for line in check(added, validated)] == [True]
    assert ["of its own" in line for line in check(added, validated, atomic=False)] == [True]


def test_a_reason_lets_its_own_operation_pass_and_no_other() -> None:
    dropped, index = REFUSED["a dropped column"][0], REFUSED["an index"][0]
    because = {0: "Version 1.4 neither reads nor writes it."}
    assert check(dropped, safe_because=because) == []
    assert len(check(dropped, index, safe_because=because)) == 1
    assert len(check(dropped, safe_because={0: " "})) == 1


def test_a_reason_that_nothing_needs_is_refused() -> None:
    assert "nothing there needs" in check(TAKEN["null"], safe_because={0: "Just so."})[0]
    assert "nothing there needs" in check(safe_because={3: "Gone."})[0]


def test_the_projects_own_migrations_can_run_under_the_version_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_project() == []
    call_command("check_migrations")
    assert "Every migration" in capsys.readouterr().out


def test_the_command_names_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from purchases.migrations import __name__ as package

    module = __import__(f"{package}.0002_append_only", fromlist=["Migration"])
    monkeypatch.delattr(module.Migration, "safe_because")
    with pytest.raises(CommandError, match=r"^purchases\.0002_append_only, operation 0, RunSQL"):
        call_command("check_migrations")
    assert len(migration_check.check_project()) == 1
