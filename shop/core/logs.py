"""Logging: JSON lines in production, readable ones in development.

Log events are static names (``purchase.recorded``) with ids as fields. The request id comes from
nginx (``X-Request-ID``) or is made here, and travels with a Celery task.
"""

import logging
from typing import Any

import structlog

from shop.core.apps import shop_apps


class OneLine(logging.Filter):
    """Leaves one line of what anybody can cause, such as a request for another host."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
        return True


def logging_config(*, requests: str, json: bool) -> dict[str, Any]:
    """Return the dictionary for ``logging.config.dictConfig``; everything goes to stderr.

    ``requests`` is the level of single requests and tasks. That of the apps' own events is set by
    :func:`log_apps`.
    """
    # The renderer's own tracebacks hold every local variable, passwords among them, and where a
    # client can cause them each takes seconds.
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
        "loggers": {name: {"level": requests} for name in ("django_structlog", "celery")}
        | {
            # The structured request log already says what was answered with which status.
            "django.request": {"level": "CRITICAL"},
            "uvicorn.error": {"level": "INFO"},
        },
    }


def log_apps(level: str) -> None:
    """Let through the events of the shop's apps from this level on."""
    for config in shop_apps():
        logging.getLogger(config.name).setLevel(level)
