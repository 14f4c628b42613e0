"""Beat, after a power loss in the middle of a write."""

import dbm.dumb
import shelve
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shop.beat import Schedule
from shop.celery import app


def _open(path: str, writeback: bool) -> Any:
    # Which of Python's formats a machine has differs.
    file: Any = dbm.dumb.open(path)  # noqa: SIM115
    return shelve.Shelf(file, writeback=writeback)


# Celery leaves a damaged file open where it begins anew by itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [b"", b"\x80", b"\x80\x05garbage", None])
def test_beat_begins_anew_where_its_file_is_damaged(
    damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Schedule, "persistence", SimpleNamespace(open=_open))
    path = tmp_path / "schedule"
    for _ in range(2):
        schedule = Schedule(app=app, schedule_filename=str(path))
        assert schedule.schedule
        schedule.close()
        if damage is None:
            path.with_suffix(".dir").write_text("'entries', (0, 99999999)\n'tz'")
        else:
            path.with_suffix(".dat").write_bytes(damage)
