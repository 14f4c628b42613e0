"""The API of leads for respondents: leave an address, and what the links of mails do."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rules import OPEN
from documents.downloads import Gone, NotReady, download
from documents.upkeep import document_again
from quizzes.answering import hooks
from quizzes.answering.api import NO_SECRET, RespondentView
from quizzes.answering.models import Result
from quizzes.answering.selectors import attempt_get, result_of
from quizzes.leads import services
from quizzes.leads.errors import NotFinished
from quizzes.leads.models import LeadResult
from quizzes.leads.papers import paper_of
from quizzes.leads.serializers import (
    LinkDoneSerializer,
    LinkTokenSerializer,
    QuizContactSerializer,
    QuizContactTakenSerializer,
)
from shop.core.admission import address_holder
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.schema import envelope

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_NEEDS = "Needs `Authorization: Attempt <32 random bytes in base64url>`."
_OVER = envelope("The token is unknown, used up or too old: one text for all.")


class ContactView(RespondentView):
    """The address of a respondent."""

    required = {"POST": OPEN}

    @extend_schema(
        operation_id="q_contact",
        summary="Leave an address for a result",
        description=(
            f"{_NEEDS} The answer is the same for every address. A mail asks for a confirmation, "
            "one a quiz and three in all a day, and after it the result comes by mail. `texts` "
            "has the SHA-256 of the literal text of each consent that is ticked."
        ),
        parameters=[_ID],
        request=QuizContactSerializer,
        responses={
            202: QuizContactTakenSerializer,
            401: NO_SECRET,
            409: envelope(
                "The attempt has no result yet (`not_finished`), a text is not that of this "
                "version (`consent_changed`), or the quiz asks for no address (`no_contact`)."
            ),
            428: envelope("`challenge_required`"),
        },
        examples=[
            OpenApiExample("an address", {"email": "joe@example.com"}, request_only=True),
            OpenApiExample("taken", {"sent_to": "j…@example.com"}, response_only=True),
        ],
    )
    def post(self, request: Request, slug: str, id: UUID) -> Response:
        attempt = attempt_get(slug, id, self.secret(request))
        body = read(QuizContactSerializer, request)
        is_trapped = bool(body.pop("website"))
        result = Result.objects.filter(pk=attempt.pk).first()
        if result is None:
            raise NotFinished()
        checked = services.contact_check(result, **body)
        # Only what would be taken counts, so a typing error uses up nothing.
        hooks.admit(self.facts(request, "contact", slug, attempt.quiz_id, id))
        if not is_trapped and not result.test:
            services.contact_give(result=result, given=checked)
        return Response({"sent_to": masked(checked.address)}, status=202)


class ResultPdfView(RespondentView):
    """The PDF of a result."""

    required = {"GET": OPEN}

    @extend_schema(
        operation_id="q_attempt_pdf",
        summary="Download a result as PDF",
        description=f"{_NEEDS} A worker renders it when somebody first asks for it.",
        parameters=[_ID],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            401: NO_SECRET,
            403: envelope("`contact_required`"),
            409: envelope("`not_ready`: ask again shortly."),
        },
    )
    def get(self, request: Request, slug: str, id: UUID) -> Any:
        attempt = attempt_get(slug, id, self.secret(request))
        # It refuses what is not finished, and what waits for an address.
        result_of(attempt)
        holder = address_holder(request.META.get("REMOTE_ADDR", ""))
        return paper_download(request, attempt.pk, holder)


def paper_download(request: Request, result: UUID, holder: str) -> Any:
    """Answer with the PDF of a result. One that is not there is rendered, and not ready."""
    paper = paper_of(result)
    if not paper.is_stored:
        raise NotReady()
    try:
        return download(request._request, paper, holder)
    except (NotFound, Gone):
        document_again(paper.pk)
        raise NotReady() from None


class _LinkView(RespondentView):
    """What the button of a link's page does."""

    required = {"POST": OPEN}

    def token(self, request: Request) -> str:
        """Return the token of the body."""
        return str(read(LinkTokenSerializer, request)["token"])

    def done(self, contact: LeadResult, state: str) -> Response:
        """Answer what was done, and in which quiz and language."""
        result = contact.result
        return Response({"state": state, "quiz": result.quiz.slug, "language": result.language})


def _link(operation: str, summary: str, description: str) -> Any:
    return extend_schema(
        operation_id=operation,
        tags=["q"],
        summary=summary,
        description=f"{description} Repeating it changes nothing more.",
        request=LinkTokenSerializer,
        responses={200: LinkDoneSerializer, 404: _OVER},
    )


class ConfirmLinkView(_LinkView):
    """The confirmation of an address."""

    @_link("q_confirm", "Confirm an address", "The result comes by mail, once.")
    def post(self, request: Request) -> Response:
        return self.done(services.lead_confirm(self.token(request)), "confirmed")


class WithdrawLinkView(_LinkView):
    """The withdrawal of consents."""

    @_link("q_withdraw", "Take consents back", "The company may not use the address any more.")
    def post(self, request: Request) -> Response:
        return self.done(services.lead_withdraw(self.token(request)), "withdrawn")


class EraseLinkView(_LinkView):
    """The erasure of a lead by itself."""

    @_link("q_erase", "Erase a lead", "What the person wrote is erased; figures stay.")
    def post(self, request: Request) -> Response:
        return self.done(services.lead_leave(self.token(request)), "erased")


class AgainLinkView(_LinkView):
    """Another mail with the same result."""

    @_link("q_again", "Mail a result again", "`limited` where today's mails are sent.")
    def post(self, request: Request) -> Response:
        contact, is_mailed = services.result_again(self.token(request))
        return self.done(contact, "sent" if is_mailed else "limited")


def masked(address: str) -> str:
    """Return an address without most of it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
