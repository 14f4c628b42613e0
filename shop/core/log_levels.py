"""The levels of the log in this process, as the settings at run time say."""

import logging

from django.conf import settings

from shop.core import process
from shop.core.apps import shop_apps
from shop.core.site_settings.general import LOG_LEVEL, LOG_LEVELS

REQUESTS = ("django_structlog", "celery")
"""The loggers of events about single requests and tasks."""
_PARTS = {"task": "worker"}


def level() -> str:
    """Return the level of this process's part."""
    running = process.current()
    part = _PARTS.get(running.kind, running.kind) if running else ""
    own = LOG_LEVELS.get(part)
    return (own.value if own else "") or LOG_LEVEL.value


def set_levels() -> None:
    """Set the levels of the apps' events, and of those about single requests and tasks."""
    wanted = level()
    for config in shop_apps():
        logging.getLogger(config.name).setLevel(wanted)
    # A developer needs to see errors, and the address that `make run` has printed.
    quiet = settings.DEVELOPMENT and wanted == "INFO"
    for name in REQUESTS:
        logging.getLogger(name).setLevel("WARNING" if quiet else wanted)
