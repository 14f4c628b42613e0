"""REST framework's exception handler: every error of an API view in one envelope."""

from typing import Any

import structlog
from drf_standardized_errors.handler import exception_handler as standardized_handler
from rest_framework.response import Response

from shop.core.errors import ApplicationError, error_body, error_headers, unavailable
from shop.core.outages import is_outage, tell_gate

logger = structlog.get_logger(__name__)


def exception_handler(exception: Exception, context: Any) -> Response | None:
    """Answer an exception of an API view in the envelope.

    A lost connection to PostgreSQL or Valkey becomes 503, because the client should try again.
    """
    tell_gate(context["request"].META, exception)
    if is_outage(exception):
        logger.warning("request.unavailable", reason=type(exception).__name__)
        exception = unavailable(exception)
    if isinstance(exception, ApplicationError):
        return Response(
            error_body(exception), status=exception.status, headers=error_headers(exception)
        )
    return standardized_handler(exception, context)
