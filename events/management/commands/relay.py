import asyncio
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Numbers committed events in order and announces them to the live feed."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from events.relay import Relay

        asyncio.run(Relay().run())
