"""Parameters of a query that a route does not have are refused.

A mistyped filter would answer with everything instead of a part.
"""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from shop.core.bodies import NAME_SHOWN_MAX, NAMED_MAX
from shop.core.errors import FieldError, ValidationFailed

UNKNOWN_PARAMETER = "There is no such parameter."

_known: dict[type, tuple[str, ...]] = {}


def known_parameters(view: Any) -> tuple[str, ...]:
    """Return the names of a view's parameters of GET, as it declares them in the API's schema.

    A view may name others in ``also_known``, which it reads for nothing.
    """
    found = _known.get(type(view))
    if found is None:
        schema = getattr(getattr(view, "get", None), "kwargs", {}).get("schema")
        names = _names(schema(), view) if schema else []
        found = _known[type(view)] = (*names, *getattr(view, "also_known", ()))
    return found


def _names(schema: Any, view: Any) -> list[str]:
    schema.view, schema.method = view, "GET"
    names: list[str] = []
    for each in schema.get_override_parameters():
        if isinstance(each, type) and issubclass(each, Serializer):
            names += each().fields
        elif isinstance(each, Serializer):
            names += each.fields
        elif each.location == "query":
            names.append(each.name)
    return names


def _is_known(name: str, known: tuple[str, ...]) -> bool:
    # "field.{name}" stands for all names that begin alike.
    starts = [each.partition("{")[0] for each in known if "{" in each]
    return name in known or any(name.startswith(start) for start in starts)


class KnownQuery(BasePermission):
    """Refuses what a read is asked by and does not know, as ``400 unknown_parameter``.

    A route without any parameter reads none, so nothing is lost there. Nor is a view strict that
    ``ignores_unknown``. It is a permission, because who may not read at all is refused before.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return ``True``, or raise ``ValidationFailed``, which names what is not known."""
        is_strict = not getattr(view, "ignores_unknown", False)
        if is_strict and request.method in ("GET", "HEAD") and request.query_params:
            known = known_parameters(view)
            unknown = [name for name in request.query_params if not _is_known(name, known)]
            if known and unknown:
                raise ValidationFailed(
                    [
                        FieldError("unknown_parameter", UNKNOWN_PARAMETER, name[:NAME_SHOWN_MAX])
                        for name in unknown[:NAMED_MAX]
                    ]
                )
        return True
