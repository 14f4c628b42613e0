"""What the admin needs on tables that are too large to be counted."""

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet

REACHABLE_PAGES = 1000


class FastPaginator(Paginator[Any]):
    """A paginator that never counts: the planner's estimate stands in for ``COUNT(*)``.

    The estimate is of the whole table and may be stale, so the count also reaches at least as far
    as the rows that a bounded probe finds. At most ``REACHABLE_PAGES`` pages are offered, because
    ``OFFSET`` reads all that it skips.
    """

    @cached_property
    def count(self) -> int:
        """Return how many rows the pages are made for; exact up to ten pages."""
        queryset: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        probe = self.per_page * 10 + 1
        found = queryset.order_by()[:probe].count()
        if found < probe or queryset.query.where:
            return found
        with connections[queryset.db].cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
                [connections[queryset.db].ops.quote_name(queryset.model._meta.db_table)],
            )
            estimate = cursor.fetchone()[0]
        return min(max(found, estimate), self.per_page * REACHABLE_PAGES)


class LargeTableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list whose cost does not grow with the table."""

    paginator = FastPaginator
    show_full_result_count = False
    list_per_page = 50
