"""The API of the files of invoices and credit notes, and of their mails."""

from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.invoices.models import Document, Draft, Kind
from billing.invoices.selectors import document_of, invoice_of
from billing.paper import files
from billing.paper.einvoice import SYNTAXES
from documents.downloads import Gone, NotReady, download
from documents.models import Document as File
from documents.upkeep import document_again
from people.idempotency import answer_once
from shop.core.admission import account_holder
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_RANGE = OpenApiParameter(
    "Range",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    examples=[OpenApiExample("the first kilobyte", "bytes=0-1023")],
)
_NOT_READY = "A worker writes it (`not_ready`); ask again shortly."
_ERASED = envelope("The customer's name is erased (`gone`).")
_CURRENT = OpenApiResponse(description="The client's copy is current (`If-None-Match`).")
_SYNTAX = OpenApiParameter("syntax", OpenApiTypes.STR, enum=SYNTAXES, default="cii")


class MailSerializer(serializers.Serializer[Any]):
    """A mail that waits for a worker."""

    id = serializers.UUIDField()
    status = serializers.CharField()


class _OfDocument(APIView):
    """The common part: which document an address means."""

    kind: Kind = Kind.INVOICE

    def document(self, request: Request, id: str) -> Document:
        """Return the document. Raise ``NotFound``, or ``NotReady`` for a draft."""
        user = actor_of(request)
        if self.kind == Kind.CREDIT_NOTE:
            return document_of(user, id, self.kind)
        found = invoice_of(user, id)
        if isinstance(found, Draft):
            raise NotReady("The invoice is not issued yet.")
        return found


def _downloaded(request: Request, file: File) -> Any:
    """Answer with a file. One that was lost or not written is written again, and not ready."""
    if not file.is_stored:
        if file.status in (File.Status.SENT, File.Status.FAILED):
            document_again(file.pk)
        raise NotReady()
    holder = account_holder(actor_of(request).pk)
    try:
        return download(request._request, file, holder)
    except (NotFound, Gone):
        document_again(file.pk)
        raise NotReady() from None


class _PaperView(_OfDocument):
    """The PDF of a document."""

    required = {"GET": needs(P.BILLING_READ)}

    def get(self, request: Request, id: str) -> Any:
        return _downloaded(request, files.paper_of(self.document(request, id)))


class _XmlView(_OfDocument):
    """The e-invoice of a document."""

    required = {"GET": needs(P.BILLING_READ)}

    def get(self, request: Request, id: str) -> Any:
        syntax = request.query_params.get("syntax", "cii")
        if syntax not in SYNTAXES:
            detail = f"Give one of {', '.join(SYNTAXES)}."
            raise ValidationFailed([FieldError("invalid_choice", detail, "syntax")])
        document = self.document(request, id)
        # An issued document never changes.
        etag = f'"{bytes(document.hash).hex()}-{syntax}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "private, no-cache",
            "Content-Disposition": f'attachment; filename="{document.label}-{syntax}.xml"',
        }
        known = get_conditional_response(
            request._request, etag=etag, response=HttpResponse(headers=headers)
        )
        if known is not None and known.status_code == 304:
            return known
        xml = files.xml_at_once(document, syntax)
        if xml is None:
            return _downloaded(request, files.xml_file(document, syntax))
        return HttpResponse(xml, content_type="application/xml", headers=headers)


class _SendView(_OfDocument):
    """The mails of a document."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    def post(self, request: Request, id: str) -> Response:
        document = self.document(request, id)

        def work() -> tuple[int, Any]:
            mail = files.document_send(actor=actor_of(request), document=document)
            return 202, {"id": str(mail.pk), "status": File.Status.QUEUED.value}

        return answer_once(request, work)


# What the documentation says of both kinds of documents.


def _paper(start: str, words: str) -> Any:
    return extend_schema(
        operation_id=f"{start}_pdf",
        tags=["billing"],
        summary=f"Download {words} as PDF",
        description=(
            "PDF/A-3a and PDF/UA-1 with the e-invoice inside (Factur-X, ZUGFeRD: EN 16931), where "
            "no business term is missing. The whole file or one range of bytes, with an `ETag`. "
            "It is rendered once, when somebody first asks for it."
        ),
        parameters=[_ID, _RANGE],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (206, "application/pdf"): OpenApiTypes.BINARY,
            304: _CURRENT,
            409: envelope(_NOT_READY),
            410: _ERASED,
            412: envelope("The PDF differs from `If-Match`."),
            416: envelope("The range is beyond the end of the PDF."),
        },
    )


def _xml(start: str, words: str) -> Any:
    return extend_schema(
        operation_id=f"{start}_xml",
        tags=["billing"],
        summary=f"Download {words} as e-invoice",
        description="EN 16931, in the syntax CII (the one inside the PDF) or UBL 2.1.",
        parameters=[_ID, _SYNTAX],
        responses={
            (200, "application/xml"): OpenApiTypes.BINARY,
            304: _CURRENT,
            409: envelope(
                "Business terms are missing, each is named (`not_an_einvoice`), or the "
                f"document is long: {_NOT_READY}"
            ),
            410: _ERASED,
        },
    )


def _send(start: str, words: str) -> Any:
    return extend_schema(
        operation_id=f"{start}_send",
        tags=["billing"],
        summary=f"Mail {words} to its customer",
        description=(
            "A worker mails the PDF to the customer's verified address, in their language, at most "
            "once a request."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        request=None,
        extensions=answers({"202": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        responses={
            202: MailSerializer,
            409: envelope(
                "The customer has no verified address (`email_not_verified`), or the invoice "
                "is a draft (`not_ready`)."
            ),
            410: _ERASED,
            422: KEY_REUSED,
        },
    )


_INVOICE, _NOTE = ("invoices", "an invoice"), ("credit_notes", "a credit note")


@extend_schema_view(get=_paper(*_INVOICE))
class InvoicePaperView(_PaperView):
    """The PDF of an invoice."""


@extend_schema_view(get=_xml(*_INVOICE))
class InvoiceXmlView(_XmlView):
    """The e-invoice of an invoice."""


@extend_schema_view(post=_send(*_INVOICE))
class InvoiceSendView(_SendView):
    """The mails of an invoice."""


@extend_schema_view(get=_paper(*_NOTE))
class CreditNotePaperView(_PaperView):
    """The PDF of a credit note."""

    kind = Kind.CREDIT_NOTE


@extend_schema_view(get=_xml(*_NOTE))
class CreditNoteXmlView(_XmlView):
    """The e-invoice of a credit note."""

    kind = Kind.CREDIT_NOTE


@extend_schema_view(post=_send(*_NOTE))
class CreditNoteSendView(_SendView):
    """The mails of a credit note."""

    kind = Kind.CREDIT_NOTE
