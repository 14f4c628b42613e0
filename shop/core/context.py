"""What every template may use."""

from email.utils import parseaddr

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return the shop's name, whom to write to, and whether the demo accounts exist here."""
    return {
        "site_name": settings.SITE_NAME,
        "contact": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "development": settings.DEVELOPMENT,
    }
