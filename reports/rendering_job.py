"""Rendering: a worker claims a report, renders its PDF and stores it.

The claim is a conditional update that commits. The work is done outside any transaction, and its
outcome is written by another conditional update. Whatever dies in between leaves a row that the
sweep understands.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from documents.rendered import Rendered, RenderingFailed, TooLong
from reports import selectors
from reports.clock import from_now
from reports.models import Report
from shop.core.database import unhurried

logger = structlog.get_logger(__name__)

T = TypeVar("T")


def report_render(report_id: uuid.UUID) -> None:
    """Render a queued report and store its PDF; do nothing where it is not queued."""
    claim = uuid.uuid4()
    if Report.objects.filter(pk=report_id, status=Report.Status.QUEUED).update(**claimed(claim)):
        render_claimed(report_id, claim)


def claimed(claim: uuid.UUID) -> dict[str, object]:
    """Return the columns by which a queued report becomes one that is being rendered."""
    return {
        "status": Report.Status.RENDERING,
        "claim": claim,
        "claimed_at": Now(),
        "attempts": F("attempts") + 1,
    }


def render_claimed(report_id: uuid.UUID, claim: uuid.UUID) -> None:
    """Render a report that this worker has claimed, and store its PDF."""
    report = Report.objects.select_related("requested_by").get(pk=report_id)
    # The claim is in the name, so that no two workers ever write the same file.
    name = f"{report.created_at:%Y/%m}/{report.pk}-{claim.hex}.pdf"
    target = Path(default_storage.path(name))
    logger.info("report.rendering", report_id=str(report.pk), attempt=report.attempts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(f"*{report.pk}*"):
            # A worker that was killed while it rendered this report has left it.
            leftover.unlink(missing_ok=True)
        with _renewing(claim):
            rendered = _render(report, target)
    except TooLong as error:
        _rendering_failed(report, claim, str(error), error, final=True)
        return
    except RenderingFailed as error:
        _rendering_failed(report, claim, "The PDF could not be made.", error)
        return
    except OSError as error:
        _rendering_failed(report, claim, "The PDF could not be stored.", error)
        return
    stored = Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.READY,
        pdf=name,
        pages=rendered.pages,
        size=rendered.size,
        sha256=rendered.sha256,
        rendered_at=Now(),
        next_attempt_at=Now(),
        error="",
    )
    if stored:
        logger.info("report.ready", report_id=str(report.pk), pages=rendered.pages)
    else:
        # The sweep has given the report to another worker meanwhile.
        target.unlink(missing_ok=True)


def _render(report: Report, output: Path) -> Rendered:
    # Only a worker renders, but the web process imports this module too.
    from reports.rendering import render_sales, render_statement

    report = selectors.report_to_render(report)
    using = report._state.db or "default"
    with contextlib.ExitStack() as reading:
        reading.enter_context(unhurried(using))
        reading.enter_context(selectors.snapshot(using))
        if report.kind == Report.Kind.SALES:
            return render_sales(
                header=selectors.sales_header(report),
                lines=_bounded(_closing(selectors.sales_lines(report), reading)),
                output=output,
            )
        return render_statement(
            header=selectors.statement_header(report),
            lines=_bounded(_closing(selectors.statement_lines(report), reading)),
            output=output,
        )


def _closing(lines: Iterator[T], reading: contextlib.ExitStack) -> Iterator[T]:
    """Yield the lines and end the snapshot after the last, as typesetting may take minutes."""
    yield from lines
    reading.close()


def _bounded(lines: Iterator[T]) -> Iterator[T]:
    """Yield the lines; raise ``TooLong`` where they are more than one report may have."""
    most = settings.REPORTS_MAX_LINES
    for number, line in enumerate(lines):
        if number == most:
            raise TooLong(f"It would have more than {most} lines. Ask for a shorter period.")
        yield line


def _rendering_failed(
    report: Report, claim: uuid.UUID, told: str, error: Exception, *, final: bool = False
) -> None:
    logger.warning("report.rendering_failed", report_id=str(report.pk), reason=str(error))
    final = final or report.attempts >= settings.REPORTS_RENDER_ATTEMPTS
    Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.FAILED if final else Report.Status.QUEUED,
        claim=None,
        error=told,
        next_attempt_at=from_now(settings.REPORTS_RETRY_SECONDS),
    )


@contextlib.contextmanager
def _renewing(claim: uuid.UUID) -> Iterator[None]:
    """Renew a claim from a thread, so that only a dead worker's goes stale."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(settings.REPORTS_CLAIM_SECONDS / 4):
            with contextlib.suppress(Exception):
                Report.objects.filter(claim=claim, status=Report.Status.RENDERING).update(
                    claimed_at=Now()
                )
            connection.close()

    thread = threading.Thread(target=renew, name="renew", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
