"""``make up``, ``down``, ``deploy``, ``backup``, ``restore`` and ``replay`` of a stack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.backup import backup, replay, restore
from deploy.compose import CHECKOUT, Failure, Stack
from deploy.rollout import deploy, up


def main() -> int:
    """Do what the command line says. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack")
    parser.add_argument("command", choices=("up", "down", "deploy", "backup", "restore", "replay"))
    parser.add_argument(
        "--file",
        type=Path,
        help="the backup to restore; to replay, one in the folder of the newest",
    )
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "backups")
    parser.add_argument("--no-build", action="store_true", help="take the image that is there")
    options = parser.parse_args()
    try:
        stack = Stack()
        if options.command == "up":
            up(stack, build=not options.no_build)
        elif options.command == "down":
            stack.compose("down")
        elif options.command == "deploy":
            deploy(stack, build=not options.no_build)
        elif options.command == "backup":
            backup(stack, options.folder)
        elif options.file is None or not options.file.is_file():
            raise Failure(f"Name the backup: make {options.command} FILE=backups/shop-….tar")
        elif options.command == "replay":
            replay(stack, options.file)
        else:
            restore(stack, options.file)
    except Failure as failure:
        print(f"make {options.command}: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
