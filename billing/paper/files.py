"""The files of issued documents: rows of :mod:`documents`, rendered once and kept.

The row of a paper has the id of its document, so there is one. Workers render it when somebody
first asks for it, and again only if its file was lost; the same content gives the same bytes.
"""

from collections.abc import Iterable
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from accounts.emails import verified_address
from accounts.models import User
from accounts.reader import languages
from audit.services import record
from billing.content import Buyer, Content, content_of
from billing.invoices.models import Document
from billing.paper.einvoice import SYNTAXES, TermsMissing, xml_of
from billing.paper.errors import EmailNotVerified, NotAnEInvoice, PartyErased
from billing.paper.terms import named, terms_of
from billing.parties.models import Party
from billing.parties.sealed import opened
from documents.models import Document as File
from documents.upkeep import announce

PAPER, MAIL, XML = "billing_paper", "billing_mail", "billing_xml"
"""The names of the kinds of files."""
_SENT = {
    Document.Kind.INVOICE: "invoice.sent",
    Document.Kind.CREDIT_NOTE: "creditnote.sent",
}
LINES_AT_ONCE = 200
"""A document with more lines takes seconds to write as XML, so a worker does it."""


def read_document(id: UUID | str) -> tuple[Document, Content, Buyer]:
    """Return a document, its content and its buyer. Raise ``PartyErased`` or ``DoesNotExist``."""
    document = Document.objects.get(pk=id)
    party = Party.objects.filter(document=document).first()
    if party is None:
        raise PartyErased()
    return document, content_of(document.canonical), opened(party)[0]


def paper_of(document: Document) -> File:
    """Return the row of a document's paper, which workers render unless it is stored."""
    return _file(document, PAPER, document.pk, {})


def papers_request(documents: Iterable[Document]) -> None:
    """Let workers render the papers of documents, of which many may have one already.

    ``customer`` of each is read.
    """
    rows = [_row(document, PAPER, document.pk, {}) for document in documents]
    File.objects.bulk_create(rows, ignore_conflicts=True)


def xml_at_once(document: Document, syntax: str) -> bytes | None:
    """Return a document as an e-invoice; ``None`` where a worker has to write it.

    Raise ``NotAnEInvoice`` or ``PartyErased``.
    """
    _, content, buyer = read_document(document.pk)
    if len(content.body.lines) > LINES_AT_ONCE:
        if missing := terms_of(content, buyer).missing:
            raise NotAnEInvoice(missing, named(missing))
        return None
    try:
        return xml_of(content, buyer, syntax)
    except TermsMissing as error:
        raise NotAnEInvoice(error.missing, named(error.missing)) from None


def xml_file(document: Document, syntax: str) -> File:
    """Return the row of a long e-invoice, which workers write unless it is stored."""
    assert syntax in SYNTAXES  # noqa: S101 - the view has checked it
    return _file(document, XML, uuid5(document.pk, syntax), {"syntax": syntax})


def document_send(*, actor: User, document: Document) -> File:
    """Mail a document to its customer, at most once; return the row of the mail.

    It needs a transaction. Raise ``EmailNotVerified`` or ``PartyErased``.
    """
    customer = document.customer
    if not customer.is_active or verified_address(customer) is None:
        raise EmailNotVerified()
    if not Party.objects.filter(document=document).exists():
        raise PartyErased()
    # Its row is older, so a worker renders the paper first, and the mail takes a copy of the file.
    paper_of(document)
    mail = File.objects.create(
        kind=MAIL, requested_by=customer, parameters={"document": str(document.pk)}
    )
    record(
        _SENT[Document.Kind(document.kind)],
        object=f"{document.kind}:{document.pk}",
        actor_id=actor.pk,
        account_id=customer.pk,
        after={"number": document.label, "mail": str(mail.pk)},
    )
    transaction.on_commit(lambda: announce(mail.pk))
    return mail


def _file(document: Document, kind: str, id: UUID, parameters: dict[str, str]) -> File:
    file = File.objects.filter(pk=id).first()
    if file is None:
        rows = [_row(document, kind, id, parameters)]
        File.objects.bulk_create(rows, ignore_conflicts=True)
        transaction.on_commit(lambda: announce(id))
        file = File.objects.get(pk=id)
    return file


def _row(document: Document, kind: str, id: UUID, parameters: dict[str, str]) -> File:
    language = document.customer.language
    known = language if language in languages() else settings.LANGUAGE_CODE
    return File(
        id=id,
        kind=kind,
        requested_by=document.customer,
        # The language is kept, so that a file that is rendered again is the same.
        parameters={"document": str(document.pk), "language": known, **parameters},
    )
