"""The two kinds of reports, as kinds of documents."""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar, TypeVar, cast

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.reader import written_for
from documents.kinds import Kind, Words
from documents.models import Document
from documents.rendered import Rendered, TooLong
from purchases.models import Purchase
from reports import models, selectors
from reports.access import may_request
from reports.site_settings import REPORTS_MAX_LINES
from shop.core import times
from shop.core.database import no_statement_timeout

T = TypeVar("T")


class ReportKind(Kind):
    """The common part of statements and sales reports."""

    subject: ClassVar[str]
    sentence: ClassVar[str]

    @abstractmethod
    def render_lines(
        self, document: Document, output: Path, reading: contextlib.ExitStack
    ) -> Rendered:
        """Write the report; close ``reading``, the snapshot, after its last line."""

    def render(self, document: Document, output: Path) -> Rendered:
        document = selectors.report_to_render(document)
        using = document._state.db or "default"
        with written_for(document.account), contextlib.ExitStack() as reading:
            reading.enter_context(no_statement_timeout(using))
            reading.enter_context(selectors.snapshot(using))
            return self.render_lines(document, output, reading)

    def is_allowed(self, document: Document) -> bool:
        user = document.account
        return user.is_active and may_request(user, self.name)

    def words(self, document: Document) -> Words:
        filled = {
            "since": times.day(cast(date, document.since)),
            "until": times.day(cast(date, document.until)),
            "name": (document.parameters or {}).get("username", ""),
        }
        return Words(
            subject=_(self.subject) % filled,
            sentence=_(self.sentence) % filled,
            link="/reports/",
        )

    def stem(self, document: Document) -> str:
        return f"{self.name}-{document.since}-{document.until}"

    def message_id(self, document: Document) -> str:
        return f"<report-{document.pk}@scalable-shop>"


class Statement(ReportKind):
    """One customer's purchases."""

    name = models.Kind.STATEMENT.value
    subject = gettext_noop("statement, %(since)s to %(until)s")
    sentence = gettext_noop(
        "the statement from %(since)s to %(until)s that you asked for is ready."
    )

    def render_lines(
        self, document: Document, output: Path, reading: contextlib.ExitStack
    ) -> Rendered:
        # Imported here, because only workers render, but the web process imports this module too.
        from reports.rendering import render_statement

        return render_statement(
            header=selectors.statement_header(document),
            lines=_bounded(_closing(selectors.statement_lines(document), reading)),
            output=output,
        )


class CustomerStatement(Statement):
    """One customer's purchases, for somebody else who may see them."""

    name = models.Kind.CUSTOMER.value
    subject = gettext_noop("statement of %(name)s, %(since)s to %(until)s")
    sentence = gettext_noop(
        "the statement of %(name)s from %(since)s to %(until)s that you asked for is ready."
    )

    def about(self, account_id: int) -> Q:
        return Q(parameters__customer=account_id)


class Sales(ReportKind):
    """All customers' purchases."""

    name = models.Kind.SALES.value
    subject = gettext_noop("sales report, %(since)s to %(until)s")
    sentence = gettext_noop(
        "the sales report from %(since)s to %(until)s that you asked for is ready."
    )

    def render_lines(
        self, document: Document, output: Path, reading: contextlib.ExitStack
    ) -> Rendered:
        from reports.rendering import render_sales

        return render_sales(
            header=selectors.sales_header(document),
            lines=_bounded(_closing(selectors.sales_lines(document), reading)),
            output=output,
        )

    def about(self, account_id: int) -> Q:
        # A day more on each side, because days depend on time zones.
        day = timedelta(days=1)
        bought = Purchase.objects.filter(
            customer=account_id,
            timestamp__gte=OuterRef("since") - day,
            timestamp__lte=OuterRef("until") + 2 * day,
        )
        return Q(Exists(bought))


def _closing(lines: Iterator[T], reading: contextlib.ExitStack) -> Iterator[T]:
    """Yield the lines, and end the snapshot after the last, because typesetting takes long."""
    yield from lines
    reading.close()


def _bounded(lines: Iterator[T]) -> Iterator[T]:
    """Yield the lines; raise ``TooLong`` after the most lines of one report."""
    most = REPORTS_MAX_LINES.value
    for number, line in enumerate(lines):
        if number == most:
            raise TooLong(f"It would have more than {most} lines. Ask for a shorter period.")
        yield line
