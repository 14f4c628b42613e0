"""The workers' tasks of runs."""

from uuid import UUID

from celery import shared_task

from billing.runs.services import TASK, run_work, runs_sweep


@shared_task(name=TASK)
def run(*, run_id: str) -> None:
    """Do a run, or what is left of it. The task can run twice."""
    run_work(UUID(run_id))


@shared_task(name="billing.runs_sweep")
def sweep() -> None:
    """Wake workers for runs whose message was lost or whose worker died."""
    runs_sweep()
