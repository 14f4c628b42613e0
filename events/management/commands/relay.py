import asyncio
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Numbers committed events in order and announces them to the live feed. Beside that it "
        "runs the loops that apps declare, such as the sealing of the audit."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from events.relay import Relay
        from shop.core import process
        from shop.core.loops import running_loops

        with process.running("relay"), running_loops():
            asyncio.run(Relay().run())
