"""The texts of our scripts in the language of a page, as Django's JavaScript catalog."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

FOR_EVER = 365 * 24 * 3600


class _Catalog(JavaScriptCatalog):
    packages = ["shop"]

    def get_paths(self, packages: Any) -> list[str]:
        """Return our own catalogs only; those of the admin are three times as large."""
        return [str(folder) for folder in settings.LOCALE_PATHS]


@cache
def _version(language: str) -> str:
    """Return a digest of the catalog of a language; ``""`` if it has none, as English."""
    for folder in settings.LOCALE_PATHS:
        file = Path(folder) / language / "LC_MESSAGES" / "djangojs.mo"
        if file.exists():
            return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return ""


def catalog_url() -> str:
    """Return the address of the catalog of the active language; ``""`` if it needs none."""
    language = translation.get_language() or settings.LANGUAGE_CODE
    version = _version(language)
    return f"{reverse('texts')}?l={language}&v={version}" if version else ""


@require_safe
def catalog(request: HttpRequest) -> HttpResponseBase:
    """Return the catalog of the language ``l``. With its version ``v`` it may be kept for ever."""
    language = str(request.GET.get("l", ""))
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    with translation.override(language):
        response = _Catalog.as_view()(request)
    if request.GET.get("v") == _version(language):
        patch_cache_control(response, public=True, max_age=FOR_EVER, immutable=True)
    else:
        patch_cache_control(response, public=True, max_age=60)
    return response


urlpatterns = [path("jsi18n/", catalog, name="texts")]
