"""The admin on tables too large to count."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.http import HttpRequest
from django.utils.functional import cached_property


class EstimatingPaginator(Paginator):
    """A paginator that takes the table's size from PostgreSQL's statistics, and never counts.

    A narrowed list is not estimated: it shows its first pages only.
    """

    narrow_limit = 1000

    @cached_property
    def count(self) -> int:
        """Return about how many rows there are."""
        rows: Any = self.object_list
        query = rows.query
        if query.where:
            return self._look(rows)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass",
                [query.model._meta.db_table],
            )
            row = cursor.fetchone()
        estimate = int(row[0]) if row else 0
        # Statistics lag behind a table that is young; a small one is cheap to look at. OFFSET
        # makes far pages slow, so they are not offered.
        if estimate < self.narrow_limit:
            return self._look(rows)
        return min(estimate, 100 * self.per_page)

    def _look(self, rows: Any) -> int:
        found: int = rows.order_by()[: self.narrow_limit].count()
        return found


class LargeTableAdmin(admin.ModelAdmin):
    """No count, no unindexed search, no facet."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0

    def get_sortable_by(self, request: HttpRequest) -> tuple[()]:
        """Allow no sorting but the default, which has an index."""
        return ()
