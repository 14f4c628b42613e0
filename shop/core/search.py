"""The search over everything that the apps declare."""

from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import OperationalError, connection, transaction
from django.utils.functional import Promise

from shop.core.apps import declared

DEADLINE_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found: what it is, its name, a line that tells it apart, and its page.

    ``exact`` says that the text is its id, so that the reader means nothing else.
    """

    kind: str | Promise
    label: str | Promise
    detail: str | Promise
    url: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The hits; ``complete`` is false if a search took too long, and it and later ones lack."""

    hits: list[Hit]
    complete: bool


def search(caller: Any, text: str, limit: int) -> Found:
    """Return what the caller may see and ``text`` names, at most ``limit`` of each app's search.

    PostgreSQL ends each query after ``DEADLINE_MILLISECONDS``.
    """
    hits: list[Hit] = []
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {DEADLINE_MILLISECONDS}")
            for find in declared("searches"):
                hits += find(caller, text, limit)
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        return Found(hits, complete=False)
    return Found(hits, complete=True)
