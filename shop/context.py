"""What every template may use."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return the shop's name and whether the demo accounts exist here."""
    return {"site_name": settings.SITE_NAME, "development": settings.DEVELOPMENT}
