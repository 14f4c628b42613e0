"""The way back to a form that was sent after its session had ended.

What was typed is put into the address of the form's page, which fills its fields from there. So it
needs no script, and nothing is stored.
"""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

TYPED_MAX = 1500
"""Characters. Longer texts are not kept, because addresses have a limit."""
_NOT_KEPT = frozenset({"code", "credential", "csrfmiddlewaretoken", "idempotency_key", "next"})


def way_back(request: HttpRequest, *, has_page: bool) -> str:
    """Return the page to show after the sign-in, with what was typed, but for passwords.

    An address that only takes forms has no page, so that of the form is returned.
    """
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    if not has_page:
        return _sender(request)
    typed = urlencode(
        [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if name not in _NOT_KEPT and "password" not in name
        ]
    )
    if not typed or len(typed) > TYPED_MAX:
        return request.get_full_path()
    return f"{request.path}?{typed}"


def _sender(request: HttpRequest) -> str:
    """Return the page of this site that sent the form, or the start."""
    sender = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(sender, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(sender)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
