"""``/documentation``: Swagger UI from our own static files, and the schema."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@cache
def _schema() -> bytes:
    # The generator visits every view, so it is imported only when somebody reads the documentation.
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    # One document for all readers, whatever the language of the first.
    with translation.override(settings.LANGUAGE_CODE):
        schema: Any = SchemaGenerator().get_schema(request=None, public=True)
        rendered: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return rendered


_FOR_ALL: Any = {"public": True, "max_age": 60}


@require_safe
@cache_control(**_FOR_ALL)
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI schema as JSON."""
    return HttpResponse(_schema(), content_type="application/json")


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    """Show the schema in Swagger UI, whose requests have the session of the signed-in user."""
    response = render(request, "shop/documentation.html")
    if not request.user.is_authenticated:
        patch_cache_control(response, **_FOR_ALL)
    return response


@require_safe
@cache_control(public=True, max_age=3600)
def robots(request: HttpRequest) -> HttpResponse:
    """Allow robots the welcome page and the documentation only."""
    lines = ("User-agent: *", "Allow: /$", "Allow: /documentation", "Disallow: /", "")
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=3600)
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect a browser from the icon's traditional name to the icon."""
    return redirect(static("icon.svg"))


urlpatterns = [
    path("documentation", documentation, name="documentation"),
    path("documentation/", documentation),
    path("documentation/openapi.json", openapi, name="openapi"),
    path("robots.txt", robots, name="robots"),
    path("favicon.ico", favicon, name="favicon"),
]
