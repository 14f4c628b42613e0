"""Logging: JSON lines in production, readable ones in development.

Log events are static names (``purchase.recorded``) with ids as fields. The request id comes from
nginx (``X-Request-ID``), or the site makes one. A Celery task keeps that of its request.

Everything goes to stderr, without secrets and one event a line (``shop.core.redaction``). Each of
``copies`` gets the same event, as what was written says, and how long the line is.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog

from shop.core.redaction import clean

Event = dict[str, Any]
copies: list[Callable[[Event, int], None]] = []
"""What gets a copy of each event. It returns at once, raises nothing, and logs nothing."""

logger = structlog.get_logger(__name__)


class OneLine(logging.Filter):
    """Drops the tracebacks of events that any client can cause, such as a wrong Host."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
        return True


class Stderr(logging.StreamHandler[Any]):
    """Writes to stderr. What cannot be written is one line that names its logger, not a traceback.

    Python's own report of such a fault shows what was to be logged, as it came.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[0]
        reason = error.__name__ if error else ""
        line = {"event": "log.failed", "level": "error", "logger": record.name, "reason": reason}
        try:
            self.stream.write(json.dumps(line) + self.terminator)
        except (OSError, ValueError):
            # Nobody reads stderr any more.
            return


def logging_config(*, json: bool) -> dict[str, Any]:
    """Return the dictionary for ``logging.config.dictConfig``; everything goes to stderr.

    ``shop.core.log_levels`` sets the levels of our own events.
    """
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # structlog's own tracebacks show every local variable, passwords too. Each takes seconds to
        # render, and clients can cause them.
        structlog.processors.format_exc_info,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _cleaned,
                    _Written(_as_json if json else _Readable()),
                ],
                "foreign_pre_chain": shared,
            }
        },
        "filters": {"one_line": {"()": OneLine}},
        "handlers": {
            "stderr": {
                "()": Stderr,
                "formatter": "structured",
                "filters": ["one_line"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            # django_structlog already logs each request with its status.
            "django.request": {"level": "CRITICAL"},
            # Its own handlers would write lines as they come, with the ticket of a socket.
            "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
            "uvicorn.error": {"level": "INFO"},
        },
    }


# What every event has comes first, so that many fields push none of it out.
_FIRST = ("timestamp", "level", "logger", "event", "request_id", "user_id", "exception")


def _cleaned(logger: Any, method: str, event: Any) -> Event:
    return clean({name: event[name] for name in _FIRST if name in event} | event)


def _as_json(logger: Any, method: str, event: Event) -> str:
    return json.dumps(event)


class _Readable:
    """Renders events for people; the lines of a traceback are marked as such."""

    def __init__(self) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=False)

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        trace = event.pop("exception", None)
        lines = str(trace).split("\n") if trace else []
        return "\n  | ".join([str(self._render(logger, method, event)), *lines])


class _Written:
    """Renders an event, and passes it on to ``copies``."""

    def __init__(self, render: Callable[[Any, str, Event], str]) -> None:
        self._render = render

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        line = self._render(logger, method, dict(event))
        for copy in copies:
            copy(event, len(line))
        return line


def log_crashes() -> None:
    """Log what ends this process or one of its threads, instead of writing it as it comes."""

    def crashed(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            logger.critical("process.crashed", exc_info=(kind, error, trace))

    def thread_crashed(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit:
            name = arguments.thread.name if arguments.thread else ""
            about = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
            logger.critical("thread.crashed", thread=name, exc_info=about)

    sys.excepthook = crashed
    threading.excepthook = thread_crashed


def configure_structlog() -> None:
    """Let structlog pass its events to the standard library, whose handler renders them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
