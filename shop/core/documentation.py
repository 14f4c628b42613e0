"""``/documentation``: Swagger UI from our own static files, and the schema."""

import json
import threading
from functools import cache
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

# The generator loads classes at its first use, which two threads cannot do at once.
_making = threading.Lock()


def _schema() -> bytes:
    with _making:
        return _made_schema()


@cache
def _made_schema() -> bytes:
    # The generator visits every view, so it is imported only when somebody reads the documentation.
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    # One document for all readers, whatever the language of the first.
    with translation.override(settings.LANGUAGE_CODE):
        schema: Any = SchemaGenerator().get_schema(request=None, public=True)
        rendered: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    # The renderer indents, which makes two thirds of what browsers would load and parse.
    return json.dumps(json.loads(rendered), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _routes() -> dict[str, list[dict[str, str]]]:
    """Return the operations of the schema by tag, with the anchors that Swagger UI gives them."""
    routes: dict[str, list[dict[str, str]]] = {}
    for path_, methods in json.loads(_schema())["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            routes.setdefault(tag, []).append(
                {
                    "method": method,
                    "path": path_,
                    "summary": operation["summary"],
                    "anchor": quote(f"{tag}/{operation['operationId']}"),
                }
            )
    return routes


@require_safe
@cache_control(public=True, max_age=60)
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI schema as JSON."""
    return HttpResponse(_schema(), content_type="application/json")


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    """Show the routes, and Swagger UI, whose requests have the session of the signed-in user."""
    return render(request, "shop/documentation.html", {"routes": _routes()})


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
