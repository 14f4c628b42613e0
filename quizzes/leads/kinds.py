"""The kinds of documents of leads: the mail to confirm an address, the result's mail, its PDF."""

from pathlib import Path
from uuid import UUID

from documents.compile import render_short
from documents.kinds import Kind, Letter, Words
from documents.models import Document
from documents.rendered import Rendered, RenderingFailed
from quizzes.answering.definitions import Definition, definition
from quizzes.answering.models import Result
from quizzes.authoring.models import Quiz
from quizzes.companies.models import Company
from quizzes.leads import hooks, papers
from quizzes.leads.letters import confirm_letter, result_letter
from quizzes.leads.models import Lead, LeadResult
from quizzes.leads.sealing import opened
from quizzes.leads.sheet import sheet_of
from quizzes.leads.tokens import Purpose, token_of
from shop.core.sealing import Unsealable

TEMPLATE = Path(__file__).with_name("typst") / "result.typ"


class _OfResult(Kind):
    """The common part: everything is about one result, and no account asked for it."""

    expendable = False

    def recipient(self, document: Document) -> str | None:
        lead = _lead(document)
        return None if lead is None else opened(lead)[0]

    def words(self, document: Document) -> Words:
        raise TypeError("No account gets this mail.")

    def stem(self, document: Document) -> str:
        return f"{_about(document)[1].slug}-result"


class Confirm(_OfResult):
    """The mail that asks whether an address is its reader's."""

    name = papers.CONFIRM
    filed = False

    def is_allowed(self, document: Document) -> bool:
        lead = _lead(document)
        return (
            lead is not None
            and LeadResult.objects.filter(
                pk=document.parameters["result"], lead=lead, confirmed_at=None
            ).exists()
        )

    def render(self, document: Document, output: Path) -> Rendered:
        raise RenderingFailed("This mail has no file.")

    def letter(self, document: Document, *, attached: bool) -> Letter:
        lead = Lead.objects.get(pk=document.parameters["lead"])
        result, version, company = _about(document)
        return confirm_letter(
            version,
            company,
            result,
            confirm=token_of(lead, document.pk, Purpose.CONFIRM),
            leave=token_of(lead, document.pk, Purpose.LEAVE),
        )


class Mail(_OfResult):
    """The mail that brings a result to its lead, who has confirmed the address."""

    name = papers.MAIL

    def is_allowed(self, document: Document) -> bool:
        return (
            _lead(document) is not None
            and LeadResult.objects.filter(
                pk=document.parameters["result"],
                lead=document.parameters["lead"],
                confirmed_at__isnull=False,
            ).exists()
        )

    def render(self, document: Document, output: Path) -> Rendered:
        lead = _lead(document)
        if lead is None:
            raise RenderingFailed("The lead is erased.")
        return _rendered(document, output, lead)

    def letter(self, document: Document, *, attached: bool) -> Letter:
        lead = Lead.objects.get(pk=document.parameters["lead"])
        result, version, company = _about(document)
        return result_letter(
            version,
            company,
            result,
            again=token_of(lead, document.pk, Purpose.RESULT),
            leave=token_of(lead, document.pk, Purpose.LEAVE),
            coupon=hooks.coupon_of(result.pk),
            attached=attached,
        )


class Paper(_OfResult):
    """The PDF of a result, for whoever answered and for the company."""

    name = papers.PAPER
    mailed = False

    def recipient(self, document: Document) -> str | None:
        return None

    def is_allowed(self, document: Document) -> bool:
        return False

    def render(self, document: Document, output: Path) -> Rendered:
        return _rendered(document, output)


def _about(document: Document) -> tuple[Result, Definition, Company]:
    result = Result.objects.get(pk=document.parameters["result"])
    version = definition(result.version_id)
    company = Quiz.objects.select_related("company").get(pk=result.quiz_id).company
    return result, version, company


def _lead(document: Document) -> Lead | None:
    """Return the lead that a mail is for, ``None`` where it is erased."""
    found = Lead.objects.filter(pk=UUID(document.parameters["lead"])).first()
    return None if found is None or found.state == Lead.State.ERASED else found


def _rendered(document: Document, output: Path, lead: Lead | None = None) -> Rendered:
    result, version, company = _about(document)
    name = coupon = ""
    if lead is not None:
        name = opened(lead)[1]
        coupon = hooks.coupon_of(result.pk)
    try:
        sheet = sheet_of(version, company, result, name=name, coupon=coupon)
    except Unsealable as error:
        raise RenderingFailed(str(error)) from None
    return render_short(TEMPLATE, sheet, output, generated=result.finished_at)
