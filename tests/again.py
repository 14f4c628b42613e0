"""Runs what has failed once more, alone: ``python -m tests.again``, after pytest in one folder.

Beside three processes of tests and the linters, a test may wait longer than it allows. What passes
alone is named at the end, so that it is mended; more than ``MOST`` failures are not tried again
(decision 255).
"""

import json
import subprocess
import sys
from pathlib import Path

MOST = 3
_FAILED = Path(".pytest_cache/v/cache/lastfailed")


def again(arguments: list[str]) -> int:
    """Run the failed tests one after the other. Return pytest's exit status, 1 if there are many.

    ``arguments`` are those of the run before, which found the tests.
    """
    try:
        failed = sorted(json.loads(_FAILED.read_text()))
    except (OSError, ValueError):
        return 1
    if not 0 < len(failed) <= MOST:
        print(f"{len(failed)} tests have failed, which are too many to try again.", flush=True)
        return 1
    print("These tests have failed beside others, and are tried again, alone:", *failed, sep="\n  ")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "--last-failed", "--last-failed-no-failures=none"]
    status = subprocess.run([*command, *arguments]).returncode
    if status == 0:
        print("They pass alone. They depend on how busy the machine is; mend that:", *failed)
    return status


if __name__ == "__main__":
    raise SystemExit(again(sys.argv[1:]))
