"""The kinds of files of issued documents: the paper, a mail with it, and long e-invoices."""

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from billing.invoices.models import Balance, Document, Kind
from billing.paper import files
from billing.paper.errors import PartyErased
from documents import kinds
from documents.kinds import Words
from documents.models import Document as File
from documents.rendered import Rendered, RenderingFailed
from documents.storage import store
from documents.upkeep import document_again
from shop.core.money import shown
from shop.core.site_settings.general import SITE_NAME, logo_file
from shop.core.times import day

_UNPAID = (Balance.Status.OPEN, Balance.Status.PARTIALLY_PAID)


class _OfDocument(kinds.Kind):
    """The common part: everything is about one document."""

    def is_allowed(self, document: File) -> bool:
        return document.account.is_active

    def words(self, document: File) -> Words:
        about = _about(document)
        filled = {
            "number": about.label,
            "day": day(about.issued_on),
            "total": shown(about.total, about.currency),
            "due": day(about.due_on) if about.due_on else "",
        }
        if about.kind == Kind.CREDIT_NOTE:
            subject = _("credit note %(number)s")
            sentence = _("here is credit note %(number)s of %(day)s about %(total)s.")
        elif about.due_on and about.balance.status in _UNPAID:
            subject = _("invoice %(number)s")
            sentence = _(
                "here is invoice %(number)s of %(day)s about %(total)s, payable until %(due)s."
            )
        else:
            subject = _("invoice %(number)s")
            sentence = _("here is invoice %(number)s of %(day)s about %(total)s.")
        part = "invoices" if about.kind == Kind.INVOICE else "credit-notes"
        return Words(
            subject=subject % filled,
            sentence=sentence % filled,
            link=f"/billing/{part}/{about.pk}/",
        )

    def stem(self, document: File) -> str:
        return _about(document).label

    def kept(self) -> timedelta:
        return timedelta(days=settings.BILLING_KEEP_YEARS * 366)


class Paper(_OfDocument):
    """The PDF of a document, with the e-invoice inside."""

    name = files.PAPER
    expendable = False
    mailed = False

    def render(self, document: File, output: Path) -> Rendered:
        # Imported here, because only workers render.
        from billing.paper.pdf import render_paper

        try:
            about, content, buyer = files.read_document(document.parameters["document"])
        except PartyErased as error:
            raise RenderingFailed(str(error)) from None
        return render_paper(
            content,
            buyer,
            output,
            hash_=bytes(about.hash).hex(),
            language=document.parameters["language"],
            site_url=settings.SITE_URL,
            site_name=SITE_NAME.value,
            logo=logo_file(),
        )


class Mail(_OfDocument):
    """One mail to the customer, with the paper."""

    name = files.MAIL

    def render(self, document: File, output: Path) -> Rendered:
        paper = files.paper_of(_about(document))
        if paper.is_stored:
            try:
                with store.read(paper.file) as stored, output.open("wb") as copy:
                    shutil.copyfileobj(stored, copy)
            except FileNotFoundError:
                document_again(paper.pk)
            else:
                return Rendered(pages=paper.pages, size=paper.size or 0, sha256=paper.sha256)
        return Paper().render(paper, output)

    def kept(self) -> timedelta:
        return kinds.Kind.kept(self)


class Xml(_OfDocument):
    """A long document as an e-invoice."""

    name = files.XML
    media_type = "application/xml"
    suffix = ".xml"
    mailed = False

    def render(self, document: File, output: Path) -> Rendered:
        from billing.paper.einvoice import TermsMissing, xml_of

        given = document.parameters
        try:
            _document, content, buyer = files.read_document(given["document"])
            xml = xml_of(content, buyer, given["syntax"])
        except (PartyErased, TermsMissing) as error:
            raise RenderingFailed(str(error)) from None
        output.write_bytes(xml)
        return Rendered(pages=None, size=len(xml), sha256=hashlib.sha256(xml).hexdigest())

    def stem(self, document: File) -> str:
        return f"{_about(document).label}-{document.parameters['syntax']}"

    def kept(self) -> timedelta:
        return kinds.Kind.kept(self)


def _about(document: File) -> Document:
    return Document.objects.select_related("customer").get(pk=document.parameters["document"])
