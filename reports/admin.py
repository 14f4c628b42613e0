"""Reports in the admin: read-only, with an action that queues failed ones again."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models import User
from documents.upkeep import documents_requeue
from reports.models import Report
from shop.core.admin_tools import ReadOnlyAdmin


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "requested_by", "since", "until", "status", "emailed_at"]
    list_select_related = ["requested_by"]
    ordering = ["-created_at", "-id"]
    search_fields = ["=requested_by__username"]
    search_help_text = _("A whole username or a whole userid.")
    actions = ["queue_again"]

    @admin.action(
        description=_("Queue again failed reports that were not mailed"), permissions=["requeue"]
    )
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        """Queue failed reports again, except those that may have been mailed."""
        reports = list(queryset)
        count = documents_requeue([report.pk for report in reports])
        if reports:
            LogEntry.objects.log_actions(
                user_id=request.user.pk or 0,
                queryset=reports,
                action_flag=CHANGE,
                change_message=gettext_noop("Asked to be queued again."),
            )
        self.message_user(
            request, _("Queued again: %(count)d.") % {"count": count}, messages.SUCCESS
        )

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reports.change_report")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(requested_by__in=User.objects.known_as(term)), False
