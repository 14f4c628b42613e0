"""The admin on tables too large to count."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import (
    ERROR_FLAG,
    IGNORED_PARAMS,
    ORDER_VAR,
    PAGE_VAR,
    ChangeList,
)
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from shop.core.errors import ApplicationError, error_response

PAGES = 100
PARAMETERS = {*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG}


class CappedPaginator(Paginator):
    """A paginator that counts no more rows than ``PAGES`` pages hold.

    OFFSET makes far pages slow, so they are not offered. ``more`` says whether there are further
    rows.
    """

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        found: int = rows.order_by()[: PAGES * self.per_page + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        """Return how many rows the offered pages have."""
        return min(self._found, PAGES * self.per_page)

    @property
    def more(self) -> bool:
        """Return whether there are rows on no offered page."""
        return self._found > self.count


class _ChangeList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Keep the default order, because ``sortable_by`` only hides the links to other orders."""
        self.params.pop(ORDER_VAR, None)
        return list(super().get_ordering(request, queryset))


class LargeTableAdmin(admin.ModelAdmin):
    """A list without count, unindexed order, search or facets, whose actions take one page."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_filter = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _ChangeList

    def get_sortable_by(self, request: HttpRequest) -> tuple[()]:
        """Allow the default order only, which has an index."""
        return ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in nothing from the query string. Django would fill a field with any value there."""
        return {}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse lookups in the query string. Django allows any on any column, ``regex`` too."""
        if lookups := request.GET.keys() - PARAMETERS:
            detail = f"This list is not narrowed by {min(lookups)[:100]}; search it instead."
            return error_response(request, ApplicationError(detail, code="invalid"))
        return super().changelist_view(request, extra_context)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        """Act on the ticked rows only, which are at most those of one page."""
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        try:
            # "All rows on all pages" would have no limit.
            if len(ticked) > self.list_per_page or request.POST.get("select_across", "0") != "0":
                raise ValidationError("Too many.")
            queryset.filter(pk__in=ticked).exists()
        except (ValidationError, ValueError, DataError):
            message = _("Tick at most %(count)d of the rows on this page.") % {
                "count": self.list_per_page
            }
            self.message_user(request, message, messages.ERROR)
            return None
        return super().response_action(request, queryset, *args)


class ReadOnlyAdmin(LargeTableAdmin):
    """Rows that the admin shows and never changes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
