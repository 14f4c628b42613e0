"""Writing of JSON."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


def _encode(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, str):
        # Subclasses of str, such as REST framework's ErrorDetail.
        return str.__str__(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def _plain(value: Any) -> Any:
    """Return the value with every time in UTC and with microseconds, as the contract asks."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    if isinstance(value, Decimal):
        return str(value)
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


class Plain(dict[str, Any]):
    """An object that JSON has as it is: no time and no ``Decimal`` is anywhere in it.

    Nothing looks for them, which takes longer than writing where an answer is large.
    """


class JSONOnly(DefaultContentNegotiation):
    """Answers JSON whatever the client accepts, as the paths outside REST framework do."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = renderers[0]
        return renderer, renderer.media_type


class JSONRenderer(BaseRenderer):
    """Compact UTF-8 JSON; decimals are strings."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        if data is None:
            return b""
        try:
            return msgspec.json.encode(_plain(data), enc_hook=_encode)
        except UnicodeEncodeError:
            # An error's detail may repeat what the client sent.
            return msgspec.json.encode(_replace(_plain(data)), enc_hook=_encode)


def _replace(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _replace(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace(item) for item in value]
    return value
