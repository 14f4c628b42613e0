"""Every column of the database is declared, so that none is forgotten by export and erasure."""

import pytest
from django.db import connection

from shop.core.columns import Table, tables

HOW = """
{table}.{columns} is in no registry. Say what it holds in <app>/columns.py:
    plain("...")     ids, times, amounts, states: nothing that tells who somebody is
    personal("...")  names, addresses, free text: exported, and erased with the row or by erased=
    secret("...")    digests, keys, what is sealed: never exported
A table that is about nobody is nobody("{table}", "..."). docs/personal-data.md tells more."""


def _stored() -> dict[str, set[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
        found: dict[str, set[str]] = {}
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    return found


def _declared() -> dict[str, Table]:
    declared = {table.name: table for table in tables()}
    assert len(declared) == len(tables()), "A table is declared twice."
    return declared


@pytest.mark.django_db
def test_every_column_of_the_database_is_in_the_registry() -> None:
    stored, declared = _stored(), _declared()
    missing = []
    for table, columns in sorted(stored.items()):
        known = {column.name for column in declared[table].columns} if table in declared else set()
        if unknown := columns - known:
            missing.append(HOW.format(table=table, columns=", ".join(sorted(unknown))))
    assert not missing, "".join(missing)
    for name, one in declared.items():
        named = [column.name for column in one.columns]
        assert len(named) == len(set(named)), name
        assert set(named) <= stored.get(name, set()), f"{name} has no such columns"


@pytest.mark.django_db
def test_nothing_personal_is_left_without_a_rule() -> None:
    for table in tables():
        named = [column for column in table.columns if column.personal]
        if not named:
            continue
        assert table.what, f"{table.name}: say in one sentence what is stored, and why"
        assert table.rows, f"{table.name}: say which rows are about an account"
        deletes = all(rows.deletes for rows in table.rows if rows.section)
        changed = {name for rows in table.rows for name in rows.erased}
        for column in named:
            assert deletes or column.name in changed or table.kept, (
                f"{table.name}.{column.name}: an erasure neither deletes nor replaces it, and "
                "nothing says why it is kept"
            )


def test_no_secret_is_declared_as_telling_nothing() -> None:
    """The role of readers sees every plain column, also those of tables about nobody."""
    secrets = ("secret", "sealed", "token", "password", "key", "digest", "pepper", "settings")
    told = {
        f"{table.name}.{column.name}"
        for table in tables()
        for column in table.columns
        if column.is_plain and any(word in column.name for word in secrets)
    }
    assert told <= {"purchases_purchase.dedupe_key"}
