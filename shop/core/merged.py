"""Rows of which some are found by one index and some by another, read as one list."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


class Merged(Generic[M]):
    """One queryset, or several that have no row in common, in one order.

    A condition with ``OR`` would say the same as several, but no index has its rows in order, so
    that PostgreSQL would sort them all for each page. Here each part keeps the order of its index.
    """

    def __init__(self, *parts: QuerySet[M]) -> None:
        self.parts = parts
        self.model = parts[0].model
        self.db = parts[0].db

    @property
    def order(self) -> Sequence[str]:
        """Return the names that the rows are ordered by."""
        return cast(Sequence[str], self.parts[0].query.order_by)

    def order_by(self, *names: str) -> "Merged[M]":
        """Return the rows in this order, for which every part should have an index."""
        return Merged(*(part.order_by(*names) for part in self.parts))

    def filter(self, *conditions: object) -> "Merged[M]":
        """Return the rows for which the conditions hold."""
        return Merged(*(part.filter(*conditions) for part in self.parts))

    def whole(self) -> QuerySet[M]:
        """Return all rows in order, as a queryset that takes no more conditions."""
        if len(self.parts) == 1:
            return self.parts[0]
        first, *others = (part.order_by() for part in self.parts)
        return first.union(*others, all=True).order_by(*self.order)

    def first_keys(self, count: int) -> QuerySet[M, Any]:
        """Return the keys of the first rows of each part, to look those rows up by."""
        first, *others = (part.values("pk")[:count] for part in self.parts)
        return first.union(*others, all=True) if others else first

    def first_rows(self, count: int) -> QuerySet[M]:
        """Return the first rows in order, as a queryset that takes no more conditions."""
        if len(self.parts) == 1:
            return self.parts[0][:count]
        first, *others = (part[:count] for part in self.parts)
        return first.union(*others, all=True).order_by(*self.order)[:count]
