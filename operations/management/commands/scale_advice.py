"""How many processes what is measured asks for, where no autoscaler looks."""

from math import ceil
from typing import Any

from django.core.management.base import BaseCommand

# The same rules as those of deploy/kubernetes/components/keda.
SOCKETS_A_PROCESS, LIVE = 2000, (2, 50)
TASKS_A_WORKER, WORKERS = 10, (2, 20)


class Command(BaseCommand):
    help = (
        "Prints how many live processes the open sockets ask for, and how many workers the task"
        " queue does, as arguments of `docker compose up`."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from operations.instances import connected, counts
        from shop.core.metrics import task_queue_length

        _users, sockets = connected()
        waiting, running = task_queue_length(), counts()
        live = _fitting(ceil(sockets / SOCKETS_A_PROCESS), LIVE)
        workers = _fitting(ceil(waiting / TASKS_A_WORKER), WORKERS)
        if waiting:
            # Workers that have just emptied the queue are not taken away before it stays empty.
            workers = max(workers, min(running.get("worker", 0), WORKERS[1]))
        self.stderr.write(
            f"{sockets} sockets of {running.get('live', 0)} live processes;"
            f" {waiting} tasks waiting for {running.get('worker', 0)} workers"
        )
        self.stdout.write(f"--scale live={live} --scale worker={workers}")


def _fitting(wanted: int, limits: tuple[int, int]) -> int:
    fewest, most = limits
    return max(fewest, min(wanted, most))
