"""Variables of every template."""

from email.utils import parseaddr

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from shop.core.apps import navigation_for


def site(request: HttpRequest) -> dict[str, object]:
    """Return the shop's name, its mail address, whether it is a demo, and the navigation."""
    return {
        "site_name": settings.SITE_NAME,
        "contact": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "development": settings.DEVELOPMENT,
        # Only templates call it, because most answers are no pages.
        "navigation": lambda: navigation_for(getattr(request, "user", None) or AnonymousUser()),
    }
