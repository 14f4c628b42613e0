"""A kind of the tests on the short path: rendered, stored and mailed, also in an outage."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db.models.functions import Now

from accounts.models import User
from documents import compile as short
from documents import kinds, queue, upkeep
from documents.compile import render_short
from documents.kinds import Kind, Words
from documents.mailing import NOT_READ
from documents.models import Document
from documents.rendered import Rendered
from documents.rendering_job import STORE_AWAY
from documents.storage import store
from documents.tasks import sweep
from documents.tests.conftest import use
from shop.celery import app
from tests.s3 import S3

pytestmark = pytest.mark.django_db(transaction=True)


class Note(Kind):
    name = "note"
    rendered = 0
    # Called after the document is rendered and before it is stored.
    then: Callable[[], None] = staticmethod(lambda: None)

    def is_allowed(self, document: Document) -> bool:
        return document.account.is_active

    def render(self, document: Document, output: Path) -> Rendered:
        rows = [[str(number), "1", "2"] for number in range(document.parameters["rows"])]
        data = {"title": "A note", "name": document.account.username, "rows": rows}
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        done = render_short(Path(__file__).with_name("note.typ"), data, output, generated=moment)
        Note.rendered += 1
        Note.then()
        return done

    def words(self, document: Document) -> Words:
        return Words(subject="a note", sentence="here is a note.", link="/notes/")

    def stem(self, document: Document) -> str:
        return "note"


@pytest.fixture(autouse=True)
def note(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    settings.DOCUMENT_RETRY_SECONDS = 1
    settings.DOCUMENT_CLAIM_SECONDS = 2
    monkeypatch.setattr(kinds, "_by_name", lambda: {"note": Note()})
    monkeypatch.setattr(app, "send_task", lambda *arguments, **options: None)
    Note.rendered, Note.then = 0, staticmethod(lambda: None)
    yield
    for child in short._children.values():
        child._stop()


def ask(joe: User, kind: str = "note") -> Document:
    document = Document.objects.create(kind=kind, requested_by=joe, parameters={"rows": 3})
    document.refresh_from_db()
    return document


def work(document: Document) -> Document:
    """Run the next job now, even if it is not due."""
    Document.objects.update(next_attempt_at=Now())
    queue.work()
    document.refresh_from_db()
    return document


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_a_kind_without_a_period_is_rendered_stored_and_mailed(
    joe: User, settings: Any, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    s3 = request.getfixturevalue("s3") if kind == "s3" else None
    use(settings, kind, tmp_path, s3)
    document = work(ask(joe))
    assert (document.status, document.pages, document.error) == ("sent", 1, "")
    (sent,) = mail.outbox
    assert sent.subject.endswith(": a note")
    assert "here is a note." in str(sent.body)
    assert "/notes/" in str(sent.body)
    ((name, content, media_type),) = sent.attachments
    assert (name, media_type) == ("note.pdf", "application/pdf")
    with store.read(document.file) as file:
        assert file.read() == content
    if s3 is not None:
        assert s3.names() == [document.file]


def test_a_store_that_is_away_costs_neither_a_rendering_nor_an_attempt(
    joe: User, settings: Any, tmp_path: Path, s3: S3
) -> None:
    use(settings, "s3", tmp_path, s3)
    s3.wire.set("cut")
    document = ask(joe)
    for _ in range(3):
        work(document)
        assert (document.status, document.attempts, document.error) == ("queued", 0, STORE_AWAY)
    assert Note.rendered == 0
    s3.wire.set("open")
    use(settings, "s3", tmp_path, s3)
    assert work(document).status == "sent"
    assert len(mail.outbox) == 1


def test_a_store_that_goes_away_after_the_rendering_is_tried_again(
    joe: User, settings: Any, tmp_path: Path, s3: S3
) -> None:
    use(settings, "s3", tmp_path, s3)
    Note.then = staticmethod(lambda: s3.wire.set("cut"))
    document = work(ask(joe))
    assert (document.status, document.attempts) == ("queued", 1)
    assert document.error == "The PDF could not be stored."
    Note.then = staticmethod(lambda: None)
    s3.wire.set("open")
    use(settings, "s3", tmp_path, s3)
    assert work(document).status == "sent"
    assert s3.names() == [document.file]


def test_a_store_that_is_away_puts_the_mail_off(
    joe: User, settings: Any, tmp_path: Path, s3: S3
) -> None:
    use(settings, "s3", tmp_path, s3)
    document = work(ask(joe))
    Document.objects.update(status="ready", emailed_at=None)
    mail.outbox.clear()
    s3.wire.set("cut")
    for _ in range(2):
        work(document)
        assert (document.status, document.mail_attempts, document.error) == ("ready", 1, NOT_READ)
    s3.wire.set("open")
    use(settings, "s3", tmp_path, s3)
    assert work(document).status == "sent"
    assert (Note.rendered, len(mail.outbox)) == (1, 1)


def test_what_a_killed_worker_was_rendering_is_cleared_away(
    joe: User, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, "file", tmp_path / "stored")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    document = ask(joe)
    folders = {}
    for name in (f"{document.pk}-left", "gone-left", "gone-used", "new-begun"):
        folders[name] = tmp_path / f"document-{name}"
        (folders[name] / "volumes").mkdir(parents=True)
    for name in ("gone-left", "gone-used"):
        os.utime(folders[name], (1, 1))
    held = os.open(folders["gone-used"], os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    Note.then = staticmethod(sweep)
    assert work(document).status == "sent"
    assert sorted(tmp_path.glob("document-*")) == [folders["gone-used"], folders["new-begun"]]
    # Its worker has died.
    os.close(held)
    sweep()
    assert list(tmp_path.glob("document-*")) == [folders["new-begun"]]


def test_a_kind_of_another_version_is_left_to_it(joe: User, settings: Any, tmp_path: Path) -> None:
    use(settings, "file", tmp_path)
    document = work(ask(joe, "poem"))
    assert (document.status, document.attempts) == ("queued", 0)
    Document.objects.update(created_at="2024-01-01T00:00:00Z")
    assert upkeep.documents_sweep() == 0


def test_each_kind_says_how_long_its_files_are_kept(
    joe: User,
    stored: Callable[..., Document],
    settings: Any,
    site_settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(settings, "file", tmp_path / "stored")
    site_settings.reports_keep_days = 10
    site_settings.reports_megabytes_per_account = 1
    old = {"rendered_at": "2020-01-01T00:00:00Z", "kind": "note"}
    document = stored(b"x" * 1_500_000, **old)
    monkeypatch.setattr(
        Note, "kept", lambda self: datetime.now(UTC) - datetime(2000, 1, 1, tzinfo=UTC)
    )
    monkeypatch.setattr(Note, "expendable", False)
    assert upkeep.documents_purge() == {"pdfs": 0, "reports": 0}
    monkeypatch.setattr(Note, "expendable", True)
    assert upkeep.documents_purge() == {"pdfs": 1, "reports": 0}
    document.refresh_from_db()
    assert (document.file, document.is_stored) == ("", False)
