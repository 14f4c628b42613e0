"""The schedule that beat keeps in a file."""

import contextlib
from typing import Any

import structlog
from celery.beat import PersistentScheduler

logger = structlog.get_logger(__name__)


class Schedule(PersistentScheduler):
    """Begins anew where its file is damaged.

    Celery does so for some kinds of damage. A file that a power loss has left empty is another one,
    and beat would end at each start.
    """

    def setup_schedule(self) -> None:
        """Read the file and the tasks of the apps."""
        try:
            super().setup_schedule()
        except Exception as error:
            logger.warning("beat.schedule_damaged", reason=type(error).__name__)
            beat: Any = self
            with contextlib.suppress(Exception):
                beat._store.close()
            beat._remove_db()
            super().setup_schedule()
