"""Who acts: the credential, the address and the program, found without being passed along.

Whatever takes a request sets ``acting`` to a function that describes it. The function is called
only where something is recorded. Elsewhere a task or a command of ``manage.py`` acts.
"""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import structlog
from celery import current_task

NOBODY = "anonymous"
"""The credential of a request without one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from. ``credential`` is ``kind:id``, and no secret."""

    credential: str
    address: str = ""
    agent: str = ""
    actor_id: int | None = None
    request_id: str = ""


acting: ContextVar[Callable[[], Origin] | None] = ContextVar("audit_acting", default=None)


def origin() -> Origin:
    """Return where the present change comes from."""
    describe = acting.get()
    if describe is not None:
        return describe()
    if current_task:
        # A task keeps the id of the request that started it.
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        return Origin(f"task:{current_task.name}", request_id=str(request_id)[:64])
    program = Path(sys.argv[0]).name
    command = sys.argv[1] if program == "manage.py" and len(sys.argv) > 1 else program
    return Origin(f"command:{command[:60]}")


def actor_id() -> int | None:
    """Return the id of the account that acts, or ``None`` for a program and for nobody known."""
    return origin().actor_id
