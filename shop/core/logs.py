"""Logging: JSON lines in production, readable ones in development.

Log events are static names (``purchase.recorded``) with ids as fields. The request id comes from
nginx (``X-Request-ID``), or the site makes one. A Celery task keeps that of its request.
"""

import logging
from typing import Any

import structlog


class OneLine(logging.Filter):
    """Drops the tracebacks of events that any client can cause, such as a wrong Host."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
        return True


def logging_config(*, json: bool) -> dict[str, Any]:
    """Return the dictionary for ``logging.config.dictConfig``; everything goes to stderr.

    ``shop.core.log_levels`` sets the levels of our own events.
    """
    # structlog's own tracebacks show every local variable, passwords too. Each takes seconds to
    # render, and clients can cause them.
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([structlog.processors.format_exc_info] if json else []),
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
                "foreign_pre_chain": shared,
            }
        },
        "filters": {"one_line": {"()": OneLine}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["one_line"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            # django_structlog already logs each request with its status.
            "django.request": {"level": "CRITICAL"},
            "uvicorn.error": {"level": "INFO"},
        },
    }


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
