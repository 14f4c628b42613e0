#!/usr/bin/env python
"""Django's command-line utility for this project."""

import os
import sys
from pathlib import Path

from shop.local.running import adopt_running

OWNER_COMMANDS = {"migrate", "prepare_database", "prepare_development", "flush"}
"""What changes the schema, which the application's role may not."""

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    if sys.argv[1:2] and sys.argv[1] in OWNER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "owner")
    if {"-h", "--help"} & set(sys.argv[1:]):
        # Help reads no setting that only production needs.
        os.environ["ENVIRONMENT"] = "development"
    # Beside a running `make run`, commands work on its databases.
    data = Path(__file__).resolve().parent / "var"
    adopted = adopt_running(os.environ, data)
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings
    except ImproperlyConfigured as error:
        if adopted is False:
            folder = os.environ.get("DATA_DIR") or data
            sys.exit(
                f"manage.py: No site runs on {folder}. Start `make run` in another shell, or give "
                "the DATA_DIR that it was started with."
            )
        sys.exit(f"manage.py: {error}")
    execute_from_command_line(sys.argv)
