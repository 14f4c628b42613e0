"""Logging: JSON lines in production, readable ones in development.

Log events are static names (``purchase.recorded``) with ids as fields. The request id comes from
nginx (``X-Request-ID``) or is made here, and travels with a Celery task.
"""

from typing import Any

import structlog


def logging_config(*, level: str, json: bool) -> dict[str, Any]:
    """Return the dictionary for ``logging.config.dictConfig``; everything goes to stderr."""
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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            name: {"level": level}
            for name in ("shop", "accounts", "purchases", "reports", "django_structlog", "celery")
        }
        | {
            # The structured request log already says what was answered with which status.
            "django.request": {"level": "CRITICAL"},
            "uvicorn.error": {"level": "INFO"},
        },
    }
