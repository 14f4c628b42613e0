"""Pages of the admin that let somebody in, or give rank."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.sessions.recent import confirm_first, is_recent


class RecentFirst(admin.ModelAdmin):
    """Changes need a recent sign-in, as everywhere else. Looking needs none.

    ``recent_actions`` says whether the actions of the list do, too.
    """

    recent_actions = True

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        may = self.has_add_permission if object_id is None else self.has_change_permission
        asked = _asked(request, may=may(request))
        return asked or super().changeform_view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = _asked(request, may=self.has_delete_permission(request))
        return asked or super().delete_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        may = self.recent_actions and self.has_view_or_change_permission(request)
        return _asked(request, may=may) or super().changelist_view(request, *args, **kwargs)


def _asked(request: HttpRequest, *, may: bool) -> HttpResponse | None:
    """Return the way to confirm the session, where somebody who may sends a change without."""
    if request.method != "POST" or not may or is_recent(request):
        return None
    messages.warning(
        request, _("Nothing is changed yet. Confirm that it is you, and send it again.")
    )
    return confirm_first(request, has_page=False)
