"""Answers exceptions of ASGI applications in the envelope instead of as bare text."""

from typing import Any

import structlog

from shop.core.errors import ApplicationError, ServerError, send_error, unavailable
from shop.core.outages import is_outage
from shop.server.answers import request_id

logger = structlog.get_logger(__name__)


class Failures:
    """The ASGI application around ``app`` that answers its exceptions.

    An exception after the start of the answer is raised, and the HTTP server cuts the connection.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        begun = False

        async def noted(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if begun:
                raise
            # The answer's id leads to what was logged.
            told = request_id(dict(scope["headers"])).decode()
            answer = _answer(error, told)
            await send_error(send, answer, path=scope["path"], headers={"X-Request-ID": told})


def _answer(error: Exception, request_id: str) -> ApplicationError:
    if isinstance(error, ApplicationError):
        return error
    if is_outage(error):
        logger.warning("request.unavailable", reason=type(error).__name__, request_id=request_id)
        return unavailable(error)
    logger.exception("request.failed", exc_info=error, request_id=request_id)
    return ServerError()
