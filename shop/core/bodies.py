"""Bodies of requests that are read strictly."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.utils import html

NAMED_MAX = 20
NAME_SHOWN_MAX = 100
UNKNOWN_FIELD = "There is no such field."


class Body(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not have: ``400 unknown_field``.

    To ignore a mistyped limit would make something without a limit. Fields that only answers have
    are let through and ignored, so a client may send back what it got.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated fields. Raise ``ValidationError``, which names every fault."""
        # A form of a page has fields for the page, too, and the API reads no forms.
        strict = isinstance(data, Mapping) and not html.is_html_input(data)
        unknown = [name for name in data if name not in self.fields] if strict else []
        if not unknown:
            return super().to_internal_value(data)
        faults: dict[str, Any] = {
            str(name)[:NAME_SHOWN_MAX]: [ErrorDetail(UNKNOWN_FIELD, code="unknown_field")]
            for name in unknown[:NAMED_MAX]
        }
        try:
            super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults |= cast(dict[str, Any], error.detail)
        raise serializers.ValidationError(faults)


def read(serializer: Any, request: Request, **options: Any) -> dict[str, Any]:
    """Return the body of a request as a class of serializers reads it.

    Raise REST framework's ``ValidationError``, which names every fault.
    """
    given = serializer(data=request.data, **options)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
