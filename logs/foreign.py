"""Lines of nginx and PostgreSQL, as events like our own."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from shop.core.redaction import clean

_SEVERITY = re.compile(r"\b(DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC):\s+")
_LEVELS = {
    "DEBUG": "debug", "WARNING": "warning", "ERROR": "error", "FATAL": "error",
    "PANIC": "critical",
}  # fmt: skip
_NGINX = re.compile(r"\[(debug|info|notice|warn|error|crit|alert|emerg)\]")
_NGINX_LEVELS = {
    "debug": "debug", "warn": "warning", "error": "error", "crit": "critical",
    "alert": "critical", "emerg": "critical",
}  # fmt: skip
_TIMES = ("time", "timestamp", "@timestamp")


def event_of(text: str, part: str) -> dict[str, Any]:
    """Return the event of a line of another program: JSON, or plain text."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    told = told if isinstance(told, dict) else {"message": text}
    message = str(told.pop("message", "") or f"{part}.request")
    level = _level(told, message, part)
    event = {"timestamp": _time(told), "level": level, "logger": part, "event": message, **told}
    return clean(event)


def _level(told: dict[str, Any], message: str, part: str) -> str:
    if (status := told.get("status")) is not None:
        return "error" if str(status) >= "500" else "info"
    if given := str(told.get("error_severity", "")):
        return _LEVELS.get(given.rstrip("12345"), "info")
    if part == "nginx":
        found = _NGINX.search(message)
        return _NGINX_LEVELS.get(found[1], "info") if found else "info"
    found = _SEVERITY.search(message)
    return _LEVELS.get(found[1].rstrip("12345"), "info") if found else "info"


def _time(told: dict[str, Any]) -> str:
    for name in _TIMES:
        text = str(told.pop(name, ""))
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            continue
    return datetime.now(UTC).isoformat()
