"""The buttons that lead to providers, and what lets a browser follow them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Page = Callable[..., HttpResponseBase]


def leads_to_providers(view: Page) -> Page:
    """Let the forms of a page lead to the configured providers.

    Browsers apply ``form-action`` to the redirect that answers a form, too. The policy of all other
    pages stays as it is.
    """

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        origins = [origin for each in settings.IDENTITY_PROVIDERS for origin in each.origins]
        if not origins:
            return view(request, *args, **kwargs)
        allowed = {"form-action": [SELF, *dict.fromkeys(origins)]}
        answer: HttpResponseBase = csp_replace(allowed)(view)(request, *args, **kwargs)
        return answer

    return page
