from typing import Any

from events.followers import Batch, Follower

from .events import TOY_MADE
from .models import Toy


class ToyFollower(Follower):
    """Makes a second toy of each toy."""

    name = "toys"
    types = (TOY_MADE,)

    def apply(self, cursor: Any, batch: Batch) -> None:
        Toy.objects.bulk_create(Toy(name="copy") for _ in batch.events)

    def reset(self, cursor: Any) -> None:
        """Keep the copies, because rows of toys are never deleted."""
