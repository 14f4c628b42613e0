"""The stack of containers, started once for all its tests and removed afterwards."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.stack import Stack, engine_problem


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--load-seconds", type=float, default=60, help="how long the test of full load takes"
    )


@pytest.fixture(scope="session")
def load_seconds(pytestconfig: pytest.Config) -> float:
    return float(pytestconfig.getoption("--load-seconds"))


def pytest_sessionstart(session: pytest.Session) -> None:
    if not session.config.option.collectonly and (problem := engine_problem()):
        pytest.exit(f"make test-stack: {problem}", returncode=2)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield the whole stack with its accounts, on volumes that are deleted afterwards."""
    folder: Path = tmp_path_factory.mktemp("stack")
    started = Stack.make(folder)
    started.remove()
    try:
        started.make_target("up")
        started.make_accounts()
        yield started
    except subprocess.CalledProcessError as error:
        pytest.exit(f"make test-stack: the stack did not start: {error}", returncode=1)
    finally:
        started.remove(images=True)
