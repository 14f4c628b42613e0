"""``/documentation``: Swagger UI from our own static files, and the schema."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe


@cache
def _schema() -> bytes:
    # The generator walks every view; only somebody who reads the documentation pays for that.
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    schema: Any = SchemaGenerator().get_schema(request=None, public=True)
    rendered: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return rendered


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI schema as JSON."""
    return HttpResponse(_schema(), content_type="application/json")


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    """Show the schema in Swagger UI."""
    return render(request, "documentation.html")


urlpatterns = [
    path("documentation", documentation, name="documentation"),
    path("documentation/", documentation),
    path("documentation/openapi.json", openapi, name="openapi"),
]
