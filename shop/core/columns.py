"""What each column of the database holds, declared by the app that owns the table::

    TABLES = (
        Table(
            "billing_invoice",
            "Invoices, because the law asks for them for ten years.",
            plain("id number total customer_id"),
            personal("address", erased="''"),
            secret("digest"),
            about="customer_id = %(account)s",
            section="invoices",
        ),
        nobody("billing_rate", "id name percent"),
    )

The export of an account's data, its erasure, and the page that tells what is stored all follow
these lines (``personal``). A test compares them with the database, so no column is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from shop.core.apps import shop_apps


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``erased`` is the SQL that replaces its value at an erasure; empty keeps it.

    ``hidden`` is what is about nobody, and still not for the database's role of readers.
    """

    name: str
    personal: bool = False
    exported: bool = True
    erased: str = ""
    hidden: bool = False

    @property
    def is_plain(self) -> bool:
        """Return whether whoever may read the database may read this."""
        return not (self.personal or self.hidden)


def plain(names: str) -> list[Column]:
    """Return columns that tell nobody who somebody is: ids, times, amounts, states."""
    return [Column(name) for name in names.split()]


def personal(names: str, *, erased: str = "", exported: bool = True) -> list[Column]:
    """Return columns that may name a person, or tell something that identifies one.

    In a table whose rows an erasure deletes, ``erased`` is not needed. ``exported`` is false for
    what a row about one account may tell of another.
    """
    return [Column(name, personal=True, exported=exported, erased=erased) for name in names.split()]


def secret(names: str, *, erased: str = "") -> list[Column]:
    """Return columns that no export shows: digests, keys, what is sealed."""
    return [Column(name, personal=True, exported=False, erased=erased) for name in names.split()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of a table, and what an export and an erasure of one account do with them.

    ``about`` is the SQL condition that finds them, over ``t`` and the parameters of
    ``personal.subjects.Subject``. ``what`` says what they are, where that is not what the table is.
    ``section`` is the name of their file in an export; empty for no file. ``row`` is the SQL of one
    line of it, instead of an object of the columns.
    """

    about: str
    what: str | Promise = ""
    section: str = ""
    row: str = ""
    deletes: bool = False
    erased: Mapping[str, str] = field(default_factory=dict)


class Table:
    """A table whose rows are about accounts.

    ``what`` is one sentence for the people concerned: what is stored, and why. ``deletes`` says
    that an erasure deletes the rows; it replaces the columns that have ``erased`` otherwise.
    ``kept`` says why other personal columns stay. ``also`` are rows that are about an account in
    another way. Without ``about`` the rows are found by other code, or are about nobody.
    """

    def __init__(
        self,
        name: str,
        what: str | Promise,
        *columns: list[Column],
        about: str = "",
        section: str = "",
        row: str = "",
        deletes: bool = False,
        kept: str | Promise = "",
        also: Sequence[Rows] = (),
    ) -> None:
        self.name, self.what, self.kept = name, what, kept
        self.columns = tuple(chain(*columns))
        erased = {} if deletes else {one.name: one.erased for one in self.columns if one.erased}
        first = Rows(about=about, section=section, row=row, deletes=deletes, erased=erased)
        self.rows = (*([first] if about else []), *also)

    @property
    def exported(self) -> list[str]:
        """Return the names of the columns in an export."""
        return [column.name for column in self.columns if column.exported]


def nobody(name: str, columns: str, *, hidden: str = "") -> Table:
    """Return a table that holds nothing about anybody. ``hidden`` are its secrets."""
    secrets = [Column(name, exported=False, hidden=True) for name in hidden.split()]
    return Table(name, "", plain(columns), secrets)


def tables() -> list[Table]:
    """Return all declared tables, those of an app before those that it may refer to.

    Within one app they are in the order of its declaration, in which children come first.
    """
    return list(_declared())


def _declared() -> Iterator[Table]:
    for config in reversed(shop_apps()):
        if config.personal_data:
            yield from import_string(config.personal_data)
