"""Copy the lines of nginx or PostgreSQL into the searchable log, as they come on stdin."""

import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from logs.foreign import event_of
from logs.shipper import PAUSE_SECONDS, Shipper
from shop.core.process import Process

LINE_MAX = 1024 * 1024


class Command(BaseCommand):
    help = "Copies lines from stdin into the searchable log: docker compose logs -f nginx | …"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--part", choices=["nginx", "postgres"], required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        part = str(options["part"])
        shipper, process, ended = Shipper(), Process(part), threading.Event()

        def ship() -> None:
            while not ended.wait(PAUSE_SECONDS):
                shipper.ship(process)

        thread = threading.Thread(target=ship, daemon=True)
        thread.start()
        # A line that is longer comes in pieces.
        while line := sys.stdin.buffer.readline(LINE_MAX):
            if text := line.decode("utf-8", "backslashreplace").strip():
                shipper.put(event_of(text, part), len(line))
        ended.set()
        thread.join()
        shipper.ship(process)
        self.stdout.write(f"{shipper.dropped} lines were dropped.")
