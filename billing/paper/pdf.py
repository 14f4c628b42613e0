"""The paper of a document: a PDF/A-3a and PDF/UA-1 file with the e-invoice inside.

It is a Factur-X (ZUGFeRD) invoice of the profile EN 16931. Where business terms are missing, it is
the same file without an e-invoice. The same content, language and hash give the same bytes.
"""

import hashlib
import io
from datetime import UTC, datetime, time
from pathlib import Path

import pikepdf
from django.utils import translation
from lxml import etree

from billing.content import Buyer, Content
from billing.paper.einvoice import TermsMissing, xml_of
from billing.paper.sheet import sheet_of
from documents.compile import compile_pdf
from documents.rendered import Rendered

TEMPLATE = Path(__file__).with_name("typst") / "invoice.typ"
STANDARDS = ("a-3a", "ua-1")
ATTACHMENT = "factur-x.xml"
SECONDS, SECONDS_A_LINE = 20.0, 0.03
"""The time limit of a document: five thousand lines take some 10 s, and more on a busy machine."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_FACTUR_X = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PACKET = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>%b<?xpacket end="w"?>'
_PROPERTIES = {
    "DocumentType": ("INVOICE", "The type of the e-invoice"),
    "DocumentFileName": (ATTACHMENT, "The name of the attached e-invoice"),
    "Version": ("1.0", "The version of the standard of the e-invoice"),
    "ConformanceLevel": ("EN 16931", "The profile of the e-invoice"),
}


def render_paper(
    content: Content,
    buyer: Buyer,
    output: Path,
    *,
    hash_: str,
    language: str,
    site_url: str,
    site_name: str,
    logo: bytes = b"",
) -> Rendered:
    """Write a document's PDF to ``output``. Raise what ``documents.compile`` raises."""
    with translation.override(language):
        sheet = sheet_of(
            content, buyer, hash_=hash_, site_url=site_url, site_name=site_name, logo=logo
        )
        try:
            xml = xml_of(content, buyer)
        except TermsMissing:
            xml = b""
    made = compile_pdf(
        TEMPLATE,
        sheet,
        generated=datetime.combine(content.issued_on, time(), UTC),
        seconds=SECONDS + SECONDS_A_LINE * len(content.body.lines),
        standards=STANDARDS,
        attachment=xml.decode(),
    )
    pdf, pages = _finished(made, is_einvoice=bool(xml))
    output.write_bytes(pdf)
    return Rendered(pages=pages, size=len(pdf), sha256=hashlib.sha256(pdf).hexdigest())


def _finished(made: bytes, *, is_einvoice: bool) -> tuple[bytes, int]:
    """Return the PDF with the metadata of its e-invoice, and its number of pages."""
    with pikepdf.open(io.BytesIO(made)) as pdf:
        pages = len(pdf.pages)
        if not is_einvoice:
            return made, pages
        metadata = pdf.Root.Metadata
        metadata.write(_described(metadata.read_bytes()))
        written = io.BytesIO()
        pdf.save(written, deterministic_id=True)
    return written.getvalue(), pages


def _described(xmp: bytes) -> bytes:
    """Return XMP that also says which file is the e-invoice, as PDF/A asks for."""
    packet = etree.fromstring(xmp)
    rdf = packet.find(f".//{{{_RDF}}}RDF")
    # PDF/A allows one bag of extension schemas, and typst has made it.
    bag = rdf.find(".//{http://www.aiim.org/pdfa/ns/extension/}schemas/{*}Bag")
    bag.append(etree.fromstring(_SCHEMA))
    rdf.append(etree.fromstring(_VALUES))
    body: bytes = etree.tostring(packet, encoding="utf-8")
    return _PACKET % body


_VALUES = (
    f'<rdf:Description xmlns:rdf="{_RDF}" xmlns:fx="{_FACTUR_X}" rdf:about="">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    + "</rdf:Description>"
)
_SCHEMA = (
    f'<rdf:li xmlns:rdf="{_RDF}" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"'
    ' xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#" rdf:parseType="Resource">'
    "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_FACTUR_X}</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{words}</pdfaProperty:description>"
        "</rdf:li>"
        for name, (_, words) in _PROPERTIES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
)
