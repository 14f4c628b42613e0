"""`manage.py move_documents`: it can run again, and loses no file wherever it is stopped."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from documents import moving
from documents.models import Document
from documents.s3 import S3Store
from documents.storage import FolderStore, store
from documents.tests.conftest import use
from documents.upkeep import documents_purge
from shop.settings import BASE_DIR
from tests.s3 import S3

Stored = Callable[..., Document]


def move(to: str) -> str:
    output = StringIO()
    call_command("move_documents", to=to, stdout=output, stderr=output)
    return output.getvalue()


def contents(document: Document) -> bytes:
    with store.read(document.file) as file:
        return file.read()


def on_disk(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "stored"


def test_there_and_back_again(s3: S3, settings: Any, folder: Path, stored: Stored) -> None:
    use(settings, "file", folder, s3)
    documents = {stored(f"%PDF {number}".encode()): number for number in range(5)}
    names = sorted(document.file for document in documents)
    said = move("s3")
    assert "5 files: 5 moved" in said
    assert "DOCUMENT_STORAGE=s3" in said
    assert (s3.names(), on_disk(folder)) == (names, [])
    # The settings still name the folder, and the site reads the moved file all the same.
    assert all(contents(each) == f"%PDF {number}".encode() for each, number in documents.items())
    use(settings, "s3", folder, s3)
    assert "5 there already" in move("s3")
    assert "5 moved" in move("file")
    assert (s3.names(), on_disk(folder)) == ([], names)


@pytest.mark.parametrize("step", ["put", "open", "delete"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_is_stopped_at_any_step_is_finished_by_the_next(
    s3: S3,
    settings: Any,
    folder: Path,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
) -> None:
    use(settings, "file", folder, s3)
    documents = [stored(os.urandom(1000)) for _ in range(3)]
    before = {document.pk: contents(document) for document in documents}
    kind: Any = FolderStore if step == "delete" else S3Store
    real = getattr(kind, step)
    calls = 0

    class Stopped(BaseException):
        pass

    def stop(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        # The command looks for the copy before it writes it, and reads it back afterwards.
        if calls == (4 if step == "open" else 2):
            if after:
                real(self, *arguments)
            raise Stopped
        return real(self, *arguments)

    monkeypatch.setattr(kind, step, stop)
    with pytest.raises(Stopped):
        move("s3")
    monkeypatch.undo()
    assert {document.pk: contents(document) for document in documents} == before
    move("s3")
    assert {document.pk: contents(document) for document in documents} == before
    assert (len(s3.names()), on_disk(folder)) == (3, [])


def test_a_network_that_is_cut_stops_it_and_loses_nothing(
    s3: S3, settings: Any, folder: Path, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, "file", folder, s3)
    documents = [stored(os.urandom(200_000)) for _ in range(4)]
    before = {document.pk: contents(document) for document in documents}
    # This stops the command while it reads back the second file.
    s3.wire.set("open", left=320_000)
    with pytest.raises(CommandError, match="Nothing is lost; run this again"):
        move("s3")
    s3.wire.set("open")
    use(settings, "file", folder, s3)
    assert 0 < len(on_disk(folder)) < 4
    assert {document.pk: contents(document) for document in documents} == before
    assert "moved" in move("s3")
    assert {document.pk: contents(document) for document in documents} == before
    assert (len(s3.names()), on_disk(folder)) == (4, [])


def test_what_is_missing_or_damaged_is_named_and_left(
    s3: S3, settings: Any, folder: Path, stored: Stored
) -> None:
    use(settings, "file", folder, s3)
    whole, damaged, missing = (stored(os.urandom(100)) for _ in range(3))
    (folder / damaged.file).write_bytes(b"something else")
    (folder / missing.file).unlink()
    output = StringIO()
    with pytest.raises(CommandError, match="left as they are"):
        call_command("move_documents", to="s3", stdout=output, stderr=output)
    said = output.getvalue()
    assert f"missing: {missing.file}" in said
    assert damaged.file in said
    assert (s3.names(), on_disk(folder)) == ([whole.file], [damaged.file])


def test_a_file_that_is_removed_meanwhile_is_in_neither_store(
    s3: S3, settings: Any, folder: Path, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, "file", folder, s3)
    document = stored(os.urandom(100), rendered_at="2020-01-01T00:00:00Z")
    real = moving._copy

    def copy(*arguments: Any) -> Any:
        outcome = real(*arguments)
        assert documents_purge()["pdfs"] == 1
        # A copy that ends after the removal would leave this file.
        s3.client.put_object(Bucket="documents", Key=document.file, Body=b"late")
        return outcome

    monkeypatch.setattr(moving, "_copy", copy)
    assert "1 removed meanwhile" in move("s3")
    assert (s3.names(), on_disk(folder)) == ([], [])


def test_without_a_bucket_it_says_so(settings: Any, folder: Path, db: Any) -> None:
    use(settings, "file", folder)
    with pytest.raises(CommandError, match="S3_BUCKET"):
        move("s3")


@pytest.mark.django_db(transaction=True)
def test_killed_again_and_again_it_loses_nothing(
    s3: S3, settings: Any, folder: Path, stored: Stored
) -> None:
    use(settings, "file", folder, s3)
    documents = [stored(os.urandom(50_000)) for _ in range(40)]
    before = {document.pk: contents(document) for document in documents}
    database = connection.settings_dict
    environment = {
        **os.environ,
        "ENVIRONMENT": "development",
        "DATABASE_URL": make_conninfo(
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
            host=database["HOST"],
            port=database["PORT"],
        ),
        "REPORTS_DIR": str(folder),
        **{f"S3_{name.upper()}": value for name, value in s3.options.items()},
    }
    command = [sys.executable, "manage.py", "move_documents", "--to", "s3"]
    killed = 0
    for files in (1, 12, 25):
        process = subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        # A file that was moved is gone from the disk, which is quicker to ask than the bucket.
        while (
            process.poll() is None
            and len(on_disk(folder)) > len(documents) - files
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        killed += process.poll() is None
        process.kill()
        process.communicate()
        assert {document.pk: contents(document) for document in documents} == before
    assert killed
    finished = subprocess.run(
        command, cwd=BASE_DIR, env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert {document.pk: contents(document) for document in documents} == before
    assert (len(s3.names()), on_disk(folder)) == (40, [])
