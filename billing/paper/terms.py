"""The business terms of EN 16931 that a document has, and those that it lacks.

The standard numbers what an e-invoice says: BT-1 is its number, BG-25 its lines. Both syntaxes, CII
and UBL, are written from these terms.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from billing.content import Buyer, Content, ContentLine, ContentTax
from billing.reference import reference_of

INVOICE, CREDIT_NOTE = "380", "381"
"""The type codes of UNTDID 1001."""
PIECE = "C62"
"""The unit of quantities: one piece."""
DISCOUNT = "95"
"""UNTDID 5189: a discount."""
SEPA, TRANSFER = "58", "30"
"""UNTDID 4461: a credit transfer in euros, and any other one."""
PRICE_DECIMALS = 4

OUTSIDE = "O"
"""The category of what is outside the scope of VAT. It has no rate and stands alone."""
_EXEMPTIONS = {
    "E": "",
    "AE": "VATEX-EU-AE",
    "K": "VATEX-EU-IC",
    "G": "VATEX-EU-G",
    OUTSIDE: "VATEX-EU-O",
}
"""The categories that say why there is no tax, and the codes of the reason."""
_UNLISTED = {"XAD"}
"""Currencies of ISO 4217 that are too young for the code list of the standard."""
_CENTRAL = {"AE", "K"}
"""The categories whose tax the buyer owes, so both have a VAT id."""
# What XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VAT_ID = re.compile("[A-Z]{2}[0-9A-Z+*]{2,13}")


class Terms(NamedTuple):
    """The terms of a document, and the names of the missing ones by their numbers."""

    terms: dict[str, Any]
    missing: dict[str, str]


def terms_of(content: Content, buyer: Buyer) -> Terms:
    """Return the terms of a document, as texts and dates.

    The words of its own are English, whoever reads it, because programs read e-invoices.
    """
    body, seller = content.body, content.seller
    categories = {tax.category for tax in body.taxes}
    outside = OUTSIDE in categories
    # Outside the scope of VAT an e-invoice must name no VAT id.
    seller_vat = "" if outside else _vat_id(seller.vat_id)
    buyer_vat = "" if outside else _vat_id(buyer.vat_id)
    supplied = sorted({line.supplied_on for line in body.lines if line.supplied_on})
    is_invoice = content.corrects is None
    terms: dict[str, Any] = {
        "BT-1": content.number,
        "BT-2": content.issued_on,
        "BT-3": INVOICE if is_invoice else CREDIT_NOTE,
        "BT-5": body.currency,
        **_payment(content),
        "BG-4": {
            "name": _text(seller.name),
            # A seller without a VAT id still needs an identifier (BR-CO-26).
            **({} if seller_vat else {"identifiers": _identifiers(seller.tax_number)}),
            "vat_identifier": seller_vat,
            "tax_identifier": _text(seller.tax_number),
            **_address(seller.address, seller.postcode, seller.city, seller.country),
            **_electronic(seller.email),
            "contacts": [{"name": _text(seller.name), "email": _text(seller.email)}]
            if seller.email
            else [],
        },
        "BG-7": {
            "name": _text(buyer.name),
            "identifiers": _identifiers(buyer.userid),
            "vat_identifier": buyer_vat,
            **_address(buyer.address, "", "", buyer.country),
            **_electronic(buyer.email),
        },
        "BT-106": _amount(sum((line.net for line in body.lines), Decimal(0))),
        "BT-109": _amount(body.net),
        "BT-110": _amount(body.tax),
        "BT-112": _amount(body.total),
        "BT-115": _amount(body.total),
        "BG-23": [_tax(tax) for tax in body.taxes],
        "BG-25": [_line(content, line) for line in body.lines],
    }
    if supplied:
        # The supply was completed on its last day.
        terms["BT-72"] = supplied[-1]
    if len(supplied) > 1:
        terms |= {"BT-73": supplied[0], "BT-74": supplied[-1]}
    # The delivery must say something (PEPPOL-EN16931-R008), and in the EU the country.
    if "K" in categories or not supplied:
        terms["BG-13"] = {"name": _text(buyer.name), "country_code": buyer.country}
    if content.corrects is not None:
        terms["BG-3"] = [{"BT-25": content.corrects.number, "BT-26": content.corrects.issued_on}]
    if content.reason:
        terms["BG-1"] = [{"BT-22": _text(content.reason)}]
    present = {
        "BT-5": body.currency not in _UNLISTED,
        "BT-27": seller.name,
        "BT-40": seller.country,
        "BT-44": buyer.name,
        "BT-55": buyer.country,
        "BT-118": not outside or categories == {OUTSIDE},
        "BT-120": all(tax.exemption or _EXEMPTIONS.get(tax.category, "-") for tax in body.taxes),
        **_present_for(categories, seller_vat, seller.tax_number, buyer_vat, supplied),
    }
    words = _words()
    return Terms(terms, {term: words[term] for term, there in present.items() if not there})


def _words() -> Mapping[str, str]:
    return {
        "BT-5": _("a currency that the standard lists"),
        "BT-27": _("name of the seller"),
        "BT-29": _("identifier of the seller"),
        "BT-31": _("VAT id of the seller"),
        "BT-32": _("VAT id or tax number of the seller"),
        "BT-40": _("country of the seller"),
        "BT-44": _("name of the customer"),
        "BT-48": _("VAT id of the customer"),
        "BT-55": _("country of the customer"),
        "BT-72": _("day of the supply"),
        "BT-118": _("one tax category, because the supply is outside the scope of VAT in part"),
        "BT-120": _("reason of the exemption from VAT"),
    }


def _present_for(
    categories: set[str],
    seller_vat: str,
    tax_number: str,
    buyer_vat: str,
    supplied: list[date],
) -> dict[str, Any]:
    """Return the terms that the tax categories ask for, and whether each is there."""
    asked: dict[str, Any] = {}
    if OUTSIDE in categories:
        asked["BT-29"] = tax_number
    elif categories & {"K", "G"}:
        asked["BT-31"] = seller_vat
    else:
        asked["BT-32"] = seller_vat or tax_number
    if categories & _CENTRAL:
        asked["BT-48"] = buyer_vat
    if "K" in categories:
        asked["BT-72"] = supplied
    return asked


def _payment(content: Content) -> dict[str, Any]:
    """Return how and until when to pay. What has been paid is never said."""
    if content.corrects is not None:
        return {"BT-20": f"Credited against invoice {content.corrects.number}."}
    seller, found = content.seller, dict[str, Any]()
    if content.due_on is not None:
        found["BT-9"] = content.due_on
    else:
        found["BT-20"] = "Payable at once."
    if seller.iban:
        found |= {
            "BT-81": SEPA if content.body.currency == "EUR" else TRANSFER,
            "BT-83": reference_of(content.number),
            "BT-84": seller.iban.replace(" ", ""),
            "BT-85": _text(seller.name),
        }
        if seller.bic:
            found["BT-86"] = seller.bic.replace(" ", "")
    return found


def _line(content: Content, line: ContentLine) -> dict[str, Any]:
    body = content.body
    # A credit of an amount is of no number of pieces.
    quantity = line.quantity or 1
    before = net_before_discount(content, line)
    price, base = unit_price(before, quantity, body.exponent)
    terms: dict[str, Any] = {
        "BT-126": str(line.position),
        "BT-129": str(quantity),
        "BT-130": PIECE,
        "BT-131": _amount(line.net),
        "BT-146": _amount(price),
        "BT-151": line.tax_category,
        # An item has to have a name, and the ledger has purchases without one.
        "BT-153": _text(line.text) or "Purchase",
    }
    if base != 1:
        terms["BT-149"] = str(base)
    if line.tax_category != OUTSIDE:
        terms["BT-152"] = _amount(line.tax_rate)
    if line.purchase is not None:
        terms["BT-128"] = {None: str(line.purchase)}
    if line.supplied_on is not None:
        terms |= {"BT-134": line.supplied_on, "BT-135": line.supplied_on}
    if before > line.net:
        terms["BG-27"] = [
            {
                "amount": _amount(before - line.net),
                "base_amount": _amount(before),
                "reason": _text(discount_name(content, line)) or "Discount",
                "reason_code": DISCOUNT,
            }
        ]
    return terms


def net_before_discount(content: Content, line: ContentLine) -> Decimal:
    """Return a line's net amount without its discount, never less than the net amount."""
    body = content.body
    if not line.discount:
        return line.net
    if not body.prices_include_tax:
        return line.gross
    unit = Decimal(1).scaleb(-body.exponent)
    net = (line.gross * 100 / (100 + line.tax_rate)).quantize(unit, ROUND_HALF_UP)
    return max(net, line.net)


def unit_price(net: Decimal, quantity: int, exponent: int) -> tuple[Decimal, int]:
    """Return a price, and for how many pieces it is: for one, unless none gives the net exactly."""
    unit = Decimal(1).scaleb(-exponent)
    for decimals in range(exponent, PRICE_DECIMALS + 1):
        price = (net / quantity).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        if (price * quantity).quantize(unit, ROUND_HALF_UP) == net:
            return price, 1
    return net, quantity


def discount_name(content: Content, line: ContentLine) -> str:
    """Return the coupons and reasons of a line's discount, or an empty text."""
    names = (
        discount.coupon or discount.reason
        for discount in content.body.discounts
        if discount.lines is None or line.position in discount.lines
    )
    return ", ".join(dict.fromkeys(name for name in names if name))


def _tax(tax: ContentTax) -> dict[str, Any]:
    terms = {
        "BT-116": _amount(tax.net),
        "BT-117": _amount(tax.tax),
        "BT-118": tax.category,
    }
    if tax.category != OUTSIDE:
        terms["BT-119"] = _amount(tax.rate)
    if tax.category in _EXEMPTIONS:
        terms |= {"BT-120": _text(tax.exemption), "BT-121": _EXEMPTIONS[tax.category]}
    return terms


def _address(address: str, postcode: str, city: str, country: str) -> dict[str, str]:
    lines = [_text(line) for line in address.splitlines() if line.strip()]
    first, second, *rest = [*lines, "", ""]
    return {
        "addr_l1": first,
        "addr_l2": second,
        "addr_l3": ", ".join(line for line in rest if line),
        "postcode": _text(postcode),
        "city": _text(city),
        "country_code": country,
    }


def _identifiers(identifier: str) -> dict[None, str]:
    return {None: _text(identifier)} if _text(identifier) else {}


def _electronic(email: str) -> dict[str, str]:
    return {"einvoicing_addr": _text(email), "einvoicing_addr_schemeid": "EM"} if email else {}


def _vat_id(typed: str) -> str:
    """Return a VAT id without its spaces, or nothing where it names no country (BR-CO-09)."""
    plain = re.sub("[^0-9A-Z+*]", "", typed.upper())
    return plain if _VAT_ID.fullmatch(plain) else ""


def _amount(amount: Decimal) -> str:
    return format(amount, "f")


def _text(text: str) -> str:
    return " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())


def named(missing: Mapping[str, str]) -> str:
    """Return missing terms for the reader: "BT-40 (country of the seller), …"."""
    return ", ".join(_listed(missing.items()))


def _listed(missing: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{term} ({words})" for term, words in missing]
