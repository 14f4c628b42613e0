"""Crediting parts of an invoice, with the effect shown before it is done, and voiding it."""

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.rules import requires
from billing.content import Body, ContentLine, content_of
from billing.credits.selectors import so_far_of
from billing.credits.serializers import CreditSerializer, VoidSerializer
from billing.credits.services import credit_note_create, invoice_void
from billing.credits.shares import Asked, SoFar, credit
from billing.invoices.flags import sums_of
from billing.invoices.models import Kind
from billing.invoices.selectors import document_of
from billing.pages.forms import Errors, amount_in, checked, errors_of, submitted, wrong
from billing.pages.manage import WRITE_ALL
from billing.pages.shown import lines_of, page_url, part_of
from shop.core.errors import ApplicationError, NotFound, error_response

LINES_SHOWN = 200
"""Lines that one form has. A form with more fields than Django takes would be refused."""
LABELS = {"reason": gettext_lazy("Reason"), "lines": gettext_lazy("Lines")}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=WRITE_ALL, POST=WRITE_ALL)
def credit_form(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Ask what is credited of an invoice, show what that comes to, and issue the credit note."""
    actor = cast(User, request.user)
    try:
        invoice = document_of(actor, id, Kind.INVOICE)
    except NotFound as error:
        return error_response(request, error)
    body = content_of(invoice.canonical).body
    so_far = so_far_of(invoice.pk)
    part = part_of(body.lines, request.GET.get("line", ""), LINES_SHOWN)
    shown = part.lines
    form: Mapping[str, str] = request.POST
    if request.method != "POST" and request.GET.get("all"):
        form = {
            f"quantity_{line.position}": str(left)
            for line in shown
            if (left := _left(line, so_far))
        }
    errors: Errors = {}
    status = 200
    effect: Body | None = None
    asked: list[Asked] = []
    if request.method == "POST":
        try:
            asked = _asked(form, shown, invoice.currency)
            effect = credit(body, so_far, asked)
        except ApplicationError as error:
            errors, status = errors_of(error), error.status
        else:
            if form.get("action") == "credit" and form.get("seen", seen := _seen(asked)) != seen:
                errors, status = {"": _("You changed it since you saw this. Look again.")}, 409
            elif form.get("action") == "credit":

                def work() -> str:
                    lines = [{"position": each.position, **_value(each)} for each in asked]
                    given = checked(
                        CreditSerializer,
                        {
                            "reason": form.get("reason", "").strip(),
                            "lines": lines,
                            "refund": form.get("refund") == "on",
                        },
                    )
                    note, _refunds = credit_note_create(
                        actor=actor,
                        invoice=invoice,
                        lines=asked,
                        reason=given["reason"],
                        refund=given["refund"],
                    )
                    return page_url(Kind.CREDIT_NOTE, note.pk)

                url, errors, status = submitted(request, work)
                if url:
                    messages.success(request, _("The credit note is issued."))
                    return redirect(url)
    sums = sums_of(invoice.balance)
    context = {
        "document": invoice,
        "rows": [
            {
                "line": line,
                "left": _left(line, so_far),
                "after": line.gross - line.discount,
                "quantity": form.get(f"quantity_{line.position}", ""),
                "amount": form.get(f"amount_{line.position}", ""),
                "quantity_name": f"quantity_{line.position}",
                "amount_name": f"amount_{line.position}",
            }
            for line in shown
        ],
        "part": part,
        "effect": effect,
        "seen": _seen(asked) if effect else "",
        "effect_part": part_of(lines_of(effect, {}), "", LINES_SHOWN) if effect else None,
        "due_after": max(sums.owed - effect.total, Decimal(0)) if effect else None,
        "overpaid_after": max(effect.total - sums.owed, Decimal(0)) if effect else None,
        "reason": form.get("reason", ""),
        "refund": form.get("refund") == "on",
        "errors": errors,
        "labels": {**LABELS, **{f"amount_{line.position}": line.text for line in shown}},
        "idempotency_key": form.get("idempotency_key") or uuid.uuid4(),
    }
    return render(request, "billing/credit.html", context, status=status)


@require_POST
@requires(POST=WRITE_ALL)
def void(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Void an invoice. Again: the same credit note."""
    actor = cast(User, request.user)
    try:
        invoice = document_of(actor, id, Kind.INVOICE)
        given = checked(VoidSerializer, {"reason": request.POST.get("reason", "").strip()})
        note, _replayed = invoice_void(actor=actor, invoice=invoice, reason=given["reason"])
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        for text in errors_of(error).values():
            messages.error(request, text)
        return redirect(page_url(Kind.INVOICE, id))
    messages.success(request, _("The invoice is void by %(number)s.") % {"number": note.label})
    return redirect(page_url(Kind.INVOICE, id))


def _left(line: ContentLine, so_far: SoFar) -> int:
    before = so_far.lines.get(line.position)
    return line.quantity - (before.quantity if before else 0)


def _seen(asked: Sequence[Asked]) -> str:
    """Return what a preview was about, so that nothing else is issued by its button."""
    return ";".join(f"{each.position}:{each.quantity}:{each.amount}" for each in asked)


def _value(asked: Asked) -> dict[str, Any]:
    if asked.amount is not None:
        return {"amount": str(asked.amount)}
    return {"quantity": asked.quantity}


def _asked(form: Mapping[str, str], lines: Sequence[ContentLine], currency: str) -> list[Asked]:
    """Return what the form credits. Raise ``ValidationFailed``."""
    asked = []
    for line in lines:
        name, other = f"quantity_{line.position}", f"amount_{line.position}"
        quantity, amount = form.get(name, "").strip(), form.get(other, "").strip()
        if quantity and amount:
            raise wrong(other, _("Give either pieces or an amount."))
        if quantity and quantity != "0":
            if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 10):
                raise wrong(name, _("Give a whole number of pieces."))
            asked.append(Asked(line.position, quantity=int(quantity)))
        elif amount:
            plain = amount_in({other: amount}, other, currency)
            if len(plain) > 20 or plain.startswith("-"):
                raise wrong(other, _("Give an amount of more than 0."))
            asked.append(Asked(line.position, amount=Decimal(plain)))
    if not asked:
        raise wrong("", _("Say of at least one line how much is credited."))
    return asked
