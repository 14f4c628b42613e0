"""The running site, held against the committed schema by schemathesis, stateful scenarios too.

``make test ARGS="tests/test_schema.py"`` with ``SCHEMA_EXAMPLES=500`` in the environment is a long
run with random examples, as a customer and as staff; otherwise it is short and always the same.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import forget_limits
from tests.system import ROOT, System

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))


@pytest.mark.system
@pytest.mark.parametrize("username", ["joe", "staff"] if EXAMPLES else ["joe"])
def test_every_answer_is_what_the_schema_says(
    system: System, tmp_path: Path, username: str
) -> None:
    forget_limits(system)
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(ROOT / "tests" / "schemathesis.toml")),
        *("run", str(ROOT / "docs" / "openapi.json"), "--url", system.url),
        *("--header", f"Authorization: Token {system.token(username)}"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", str(EXAMPLES or 6), "--continue-on-failure", "--no-color"),
        *(() if EXAMPLES else ("--generation-deterministic",)),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=3600 if EXAMPLES else 120,
    )
    forget_limits(system)
    assert done.returncode == 0, done.stdout + done.stderr
    if EXAMPLES:
        print(done.stdout)
    assert "Stateful" in done.stdout
    assert system.healthy()
