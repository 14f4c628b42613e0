"""What stands on the paper of a document: texts, in the reader's language.

The template ``typst/invoice.typ`` sets them. What has been paid is never among them.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from billing.codes import page_code, transfer_code
from billing.content import Buyer, Content, ContentDiscount, ContentTax, Seller
from billing.reference import check_path, reference_of
from shop.core.countries import country_name
from shop.core.money import figures, number, shown
from shop.core.times import day

EXEMPTIONS = {
    "AE": gettext_noop("Reverse charge: the customer owes the VAT."),
    "K": gettext_noop("Intra-Community supply, exempt from VAT."),
    "G": gettext_noop("Export outside the EU, exempt from VAT."),
    "O": gettext_noop("Not subject to VAT."),
}


def sheet_of(
    content: Content, buyer: Buyer, *, hash_: str, site_url: str, site_name: str, logo: bytes
) -> Any:
    """Return the data of the template. ``hash_`` is the document's, in hex, and ``logo`` a PNG."""
    seller, is_invoice = content.seller, content.corrects is None
    shop = seller.name or site_name
    kind = _("Invoice") if is_invoice else _("Credit note")
    columns, rows = _table(content)
    url = site_url + check_path(content.number, hash_)
    marks = {"page": "|", "pages": "|"}
    return {
        "lang": (get_language() or "en").partition("-")[0],
        "title": f"{kind} {content.number}",
        "shop": shop,
        "logo": list(logo) or None,
        "kind": kind,
        "number": content.number,
        "sender": " · ".join(_lines_of(shop, seller)),
        "recipient": _recipient(content, buyer),
        "facts": _facts(content, buyer),
        "notes": _notes(content),
        "columns": columns,
        "rows": rows,
        "totals": _totals(content),
        "taxes": _taxes(content),
        "closing": _closing(content),
        "payment": _payment(content, shop),
        "check": {
            "code": page_code(url),
            "alternative": _("QR code of the page that checks this document: %(url)s")
            % {"url": url},
            "title": _("Is this document genuine?"),
            "text": _("The code leads to a page of the shop that tells whether it has issued it."),
        },
        "footer": [part for part in _footer(shop, seller) if part],
        # The template puts the numbers between the parts.
        "page": [part.strip() for part in (_("Page %(page)s of %(pages)s") % marks).split("|")],
    }


def _lines_of(shop: str, seller: Seller) -> list[str]:
    place = f"{seller.postcode} {seller.city}".strip()
    return [line for line in (shop, *seller.address.splitlines(), place) if line.strip()]


def _recipient(content: Content, buyer: Buyer) -> list[str]:
    lines = [buyer.name, *(line for line in buyer.address.splitlines() if line.strip())]
    if buyer.country and buyer.country != content.seller.country:
        lines.append(country_name(buyer.country))
    return lines


def _facts(content: Content, buyer: Buyer) -> list[tuple[str, str]]:
    days = _days(content)
    facts = [(_("Number"), content.number), (_("Date"), day(content.issued_on))]
    if content.corrects is not None:
        facts.append((_("For invoice"), content.corrects.number))
        facts.append((_("Invoice date"), day(content.corrects.issued_on)))
    if len(days) == 1:
        facts.append((_("Date of supply"), day(days[0])))
    elif days:
        facts.append((_("Supplied from"), day(days[0])))
        facts.append((_("Supplied until"), day(days[-1])))
    if content.due_on is not None:
        facts.append((_("Due date"), day(content.due_on)))
    if buyer.userid:
        facts.append((_("Customer number"), buyer.userid))
    if buyer.vat_id:
        facts.append((_("Your VAT id"), buyer.vat_id))
    return facts


def _days(content: Content) -> list[date]:
    return sorted({line.supplied_on for line in content.body.lines if line.supplied_on})


def _notes(content: Content) -> list[str]:
    """Return the sentences above the table."""
    if content.corrects is None:
        return []
    notes = [
        _("We credit you what follows of invoice %(number)s of %(day)s.")
        % {"number": content.corrects.number, "day": day(content.corrects.issued_on)}
    ]
    if content.reason:
        notes.append(_("Reason: %(reason)s") % {"reason": content.reason})
    return notes


def _table(content: Content) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Return the columns of the lines, of which some are there only if needed, and the rows."""
    body = content.body
    dated = len(_days(content)) > 1
    reduced = any(line.discount for line in body.lines)
    columns = [
        _column(_("Pos."), False),
        *([_column(_("Supplied"), False)] if dated else []),
        _column(_("Item"), False, wide=True),
        _column(_("Quantity"), True),
        _column(_("Unit price"), True),
        *([_column(_("Discount"), True)] if reduced else []),
        _column(_("VAT"), True),
        _column(_("Amount (%(currency)s)") % {"currency": body.currency}, True),
    ]
    rows = []
    for line in body.lines:
        rows.append(
            [
                str(line.position),
                *([day(line.supplied_on) if line.supplied_on else ""] if dated else []),
                item_name(line.text),
                number(line.quantity) if line.quantity else "",
                figures(line.price, body.currency) if line.quantity else "",
                *([_minus(line.discount, body.currency)] if reduced else []),
                _rate(line.tax_category, line.tax_rate),
                figures(line.gross - line.discount, body.currency),
            ]
        )
    return columns, rows


def item_name(text: str) -> str:
    """Return what a line is called; the ledger has purchases of things without a name."""
    return text if text.strip() else _("Purchase")


def _column(title: str, right: bool, *, wide: bool = False) -> dict[str, Any]:
    return {"title": title, "right": right, "wide": wide}


def _minus(amount: Decimal, currency: str) -> str:
    return f"−{figures(amount, currency)}" if amount else ""


def _rate(category: str, rate: Decimal) -> str:
    if category == "O":
        return "–"
    return _("%(rate)s%%") % {"rate": number(rate)}


def _totals(content: Content) -> list[tuple[str, str]]:
    """Return the sums below the table; the last is the total."""
    body = content.body
    currency = body.currency
    gross = sum((line.gross for line in body.lines), Decimal(0))
    totals = []
    if any(line.discount for line in body.lines):
        totals.append((_("Sum"), figures(gross, currency)))
        totals += [(_discount(each), _minus(each.amount, currency)) for each in body.discounts]
        if not body.discounts:
            reduced = sum((line.discount for line in body.lines), Decimal(0))
            totals.append((_("Discount"), _minus(reduced, currency)))
    if not body.prices_include_tax:
        totals.append((_("Net amount"), figures(body.net, currency)))
        for tax in body.taxes:
            if tax.tax or tax.category == "S":
                label = _("VAT %(rate)s") % {"rate": _rate(tax.category, tax.rate)}
                totals.append((label, figures(tax.tax, currency)))
    label = _("Total amount") if content.corrects is None else _("Total credited")
    totals.append((label, shown(body.total, currency)))
    return totals


def _discount(discount: ContentDiscount) -> str:
    name = discount.coupon or discount.reason or ""
    words = _("Discount %(name)s") % {"name": name} if name else _("Discount")
    if discount.percent is None:
        return words
    percent = _("%(rate)s%%") % {"rate": number(discount.percent)}
    return f"{words} ({percent})"


def _taxes(content: Content) -> dict[str, Any]:
    """Return the table of taxes: net amount, tax and both together, for each rate."""
    currency = content.body.currency
    rows = [
        [
            _rate(tax.category, tax.rate),
            figures(tax.net, currency),
            figures(tax.tax, currency),
            figures(tax.net + tax.tax, currency),
        ]
        for tax in content.body.taxes
    ]
    body = content.body
    sums = [figures(each, currency) for each in (body.net, body.tax, body.total)]
    return {
        "titles": [_("VAT rate"), _("Net"), _("VAT"), _("Gross")],
        "rows": rows,
        "sum": [_("Sum"), *sums] if len(rows) > 1 else [],
        "words": _("The prices include VAT.")
        if content.body.prices_include_tax
        else _("The prices are without VAT."),
        "reasons": [reason for tax in content.body.taxes if (reason := _exemption(tax))],
    }


def _exemption(tax: ContentTax) -> str:
    if tax.exemption or tax.category not in EXEMPTIONS:
        return tax.exemption
    return _(EXEMPTIONS[tax.category])


def _closing(content: Content) -> str:
    if content.corrects is not None:
        return _("This credit note lowers what is owed on invoice %(number)s.") % {
            "number": content.corrects.number
        }
    if not content.body.total:
        return _("Nothing is to be paid.")
    if content.due_on is None:
        return _("Payable at once.")
    return _("Payable until %(day)s.") % {"day": day(content.due_on)}


def _payment(content: Content, shop: str) -> dict[str, Any] | None:
    """Return the details of a bank transfer, where there are any."""
    seller, total = content.seller, content.body.total
    if content.corrects is not None or not seller.iban or not total:
        return None
    reference = reference_of(content.number)
    code = transfer_code(
        name=shop,
        iban=seller.iban,
        bic=seller.bic,
        amount=total,
        currency=content.body.currency,
        reference=reference,
    )
    rows = [
        (_("Account holder"), shop),
        ("IBAN", _grouped(seller.iban)),
        *([("BIC", seller.bic)] if seller.bic else []),
        (_("Reference"), _grouped(reference)),
        (_("Amount"), shown(total, content.body.currency)),
    ]
    return {
        "title": _("Bank transfer"),
        "rows": rows,
        "code": code,
        "alternative": _("QR code of the transfer, for a banking app"),
        "caption": _("Scan it with your banking app."),
    }


def _grouped(text: str) -> str:
    """Return an IBAN or a reference as it is printed, in groups of four."""
    plain = text.replace(" ", "")
    return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def _footer(shop: str, seller: Seller) -> Sequence[list[str]]:
    country = country_name(seller.country) if seller.country else ""
    named = [
        (_("VAT id"), seller.vat_id),
        (_("Tax number"), seller.tax_number),
        ("IBAN", _grouped(seller.iban)),
        ("BIC", seller.bic),
    ]
    ids = [f"{name}: {value}" if value else "" for name, value in named]
    return (
        [line for line in (*_lines_of(shop, seller), country) if line],
        [line for line in (*ids[:2], seller.email) if line],
        [line for line in ids[2:] if line],
    )
