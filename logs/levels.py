"""The levels of lines, and how long those of each are kept."""

import logging

from django.db import models

from logs.site_settings import LOGS_KEEP_DEBUG_DAYS, LOGS_KEEP_INFO_DAYS, LOGS_KEEP_WARNING_DAYS
from shop.core.partitions import Retention

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class Kept(models.TextChoices):
    """The families of partitions: lines of these levels, and of those up to the next."""

    DEBUG = "debug", "debug"
    INFO = "info", "info"
    WARNING = "warning", "warning"


def kept(level: int) -> Kept:
    """Return the family of a line of that level."""
    if level >= logging.WARNING:
        return Kept.WARNING
    return Kept.INFO if level >= logging.INFO else Kept.DEBUG


def families(level: int) -> list[Kept]:
    """Return the families that hold lines of that level or above."""
    families = list(Kept)
    return families[families.index(kept(level)) :]


def level_name(level: int) -> str:
    """Return the name of the level of a line, which may be between two."""
    names = [name for name, value in LEVELS.items() if value <= level]
    return names[-1] if names else "debug"


RETENTIONS = (
    Retention("logs_entry", days=lambda: LOGS_KEEP_DEBUG_DAYS.value, family=Kept.DEBUG),
    Retention("logs_entry", days=lambda: LOGS_KEEP_INFO_DAYS.value, family=Kept.INFO),
    Retention("logs_entry", days=lambda: LOGS_KEEP_WARNING_DAYS.value, family=Kept.WARNING),
)
