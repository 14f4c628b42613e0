"""A follower that adds up invoices by customer."""

import os
import time
from pathlib import Path
from typing import Any

from events.followers import Batch, Follower
from events.tests.toy.types import INVOICE

TABLE = "CREATE TABLE toy_sum (customer_id bigint PRIMARY KEY, invoices int, total numeric)"
_ADD = """
INSERT INTO toy_sum AS old VALUES (%s, 1, %s)
ON CONFLICT (customer_id) DO UPDATE
SET invoices = old.invoices + excluded.invoices, total = old.total + excluded.total
"""


class SumFollower(Follower):
    """Adds each invoice once. ``TOY_HOLD`` names a file; while it exists, each batch waits."""

    name = "toy.sum"
    types = (INVOICE,)
    batch = 10

    def apply(self, cursor: Any, batch: Batch) -> None:
        for event in batch.events:
            if event.payload["number"] == "poison":
                raise ValueError("This invoice cannot be added.")
            cursor.execute(_ADD, [event.customer_id, event.payload["total"]])
        hold = Path(os.environ.get("TOY_HOLD", "/nonexistent"))
        if hold.exists():
            hold.with_suffix(".held").write_text(str(os.getpid()))
            while hold.exists():
                time.sleep(0.01)

    def reset(self, cursor: Any) -> None:
        cursor.execute("DELETE FROM toy_sum")
