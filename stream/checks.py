"""A check before the start: brokers are named, so their client has to be there."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from stream.publisher import client


@register
def check_client(**_: Any) -> list[CheckMessage]:
    """Return an error where ``KAFKA_BROKERS`` is set and the client is not installed."""
    if settings.KAFKA_BROKERS:
        try:
            client()
        except ImproperlyConfigured as error:
            return [Error(str(error), id="stream.E001")]
    return []
