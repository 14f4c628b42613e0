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

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _asked(request) or super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _asked(request) or super().delete_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = _asked(request) if self.recent_actions else None
        return asked or super().changelist_view(request, *args, **kwargs)


def _asked(request: HttpRequest) -> HttpResponse | None:
    """Return the way to confirm the session, where a change is sent without."""
    if request.method != "POST" or is_recent(request):
        return None
    messages.warning(
        request, _("Nothing is changed yet. Confirm that it is you, and send it again.")
    )
    return confirm_first(request, has_page=False)
