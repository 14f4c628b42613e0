"""What has failed beside other tests is tried once more, alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.again import MOST
from tests.system import ROOT

ONCE = """
import pathlib, pytest
@pytest.mark.parametrize("name", {names})
def test_that_fails(name):
    seen = pathlib.Path("seen-" + name)
    if {always} or not seen.exists():
        seen.touch()
        pytest.fail("busy")
def test_that_passes():
    pathlib.Path("passed").open("a").write("x")
"""


def _run(folder: Path, module: str) -> subprocess.CompletedProcess[str]:
    # The project's own plugins and settings are not those of the folder.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("failing", "always", "status", "said"),
    [
        (1, False, 0, "They pass alone"),
        (MOST, False, 0, "They pass alone"),
        (1, True, 1, "test_that_fails[t0]"),
        (MOST + 1, False, 1, "too many"),
    ],
)
def test_few_failures_are_tried_again(
    tmp_path: Path, failing: int, always: bool, status: int, said: str
) -> None:
    names = [f"t{number}" for number in range(failing)]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(ONCE.format(names=names, always=always))
    assert _run(tmp_path, "pytest").returncode == 1
    tried = _run(tmp_path, "tests.again")
    assert tried.returncode == status, tried.stdout
    assert said in tried.stdout
    # Nothing else ran again.
    assert (tmp_path / "passed").read_text() == "x"
