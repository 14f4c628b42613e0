"""What every process reports about itself, a few times a minute."""

import time

from django.db import connection, transaction

from operations import instances
from shop.core.process import Process

# A report that a crash of the server loses is made again within seconds.
WITHOUT_DISK = "SET LOCAL synchronous_commit TO off"

_began = time.monotonic()


def report(process: Process) -> float:
    """Write that this process lives. Return in how many seconds to do so again.

    Raise the database's errors.
    """
    if process.kind == instances.CHILD:
        return 3600.0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(WITHOUT_DISK)
        instances.report(process, age=time.monotonic() - _began)
    return instances.EVERY_SECONDS
