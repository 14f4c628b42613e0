"""What banks say has come: importing a statement, and assigning what nobody could match."""

import base64
import binascii
import io
import zlib
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import requires
from billing.invoices.selectors import key_of
from billing.pages.forms import Errors, checked, errors_of, wrong
from billing.pages.manage import READ_ALL, WRITE_ALL, may_write
from billing.pages.movements import payment_tabs
from billing.pages.wording import Word
from billing.payments.bank_statements.importing import (
    KNOWN,
    Imported,
    credit_assign,
    credit_set_aside,
    statement_import,
)
from billing.payments.bank_statements.models import BankCredit
from billing.payments.bank_statements.reading import read_statement
from billing.payments.bank_statements.selectors import credits, invoice_named
from billing.payments.bank_statements.serializers import (
    SHOWN_MAX,
    AssignSerializer,
    SetAsideSerializer,
)
from shop.core.errors import ApplicationError, ValidationFailed
from shop.core.pagination import paginate_keys

FILE_MAX_BYTES = 1024 * 1024
LABELS = {"file": gettext_lazy("File"), "invoice": gettext_lazy("Invoice")}
OUTCOMES: dict[str, Word] = {
    BankCredit.Status.BOOKED: (gettext_lazy("Booked"), "good", "circle-check"),
    BankCredit.Status.WAITING: (gettext_lazy("To be assigned"), "warn", "hourglass"),
    BankCredit.Status.SET_ASIDE: (gettext_lazy("Set aside"), "", "ban"),
    KNOWN: (gettext_lazy("Imported before"), "", "info"),
}
WHY: dict[str, str | Promise] = {
    "no_reference": gettext_lazy("It names no invoice."),
    "unknown_invoice": gettext_lazy("There is no invoice of that number."),
    "several_invoices": gettext_lazy("It names several invoices."),
    "other_amount": gettext_lazy("Another amount is due on that invoice."),
    "other_currency": gettext_lazy("The invoice is in another currency."),
    "reference_used": gettext_lazy("The invoice has another payment with this reference."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def bank(request: HttpRequest) -> HttpResponse:
    """Show what waits to be assigned; by POST import a statement, or assign what waits."""
    errors: Errors = {}
    status = 200
    preview: dict[str, Any] | None = None
    chosen = request.POST.get("credit", "")
    if request.method == "POST":
        try:
            preview = _act(request, request.POST.get("action", ""), chosen)
        except ApplicationError as error:
            errors, status = errors_of(error), error.status
        else:
            if preview is None:
                return redirect("billing_bank")
    wanted = request.GET.get("status", "") or BankCredit.Status.WAITING.value
    page: Any = None
    try:
        page = paginate_keys([credits(wanted)], cursor=request.GET.get("cursor"))
    except ValidationFailed as error:
        errors, status = errors or errors_of(error), 400
    context = {
        "tabs": payment_tabs("billing_bank"),
        "rows": [(each, OUTCOMES[each.status], WHY.get(each.why, "")) for each in page.items]
        if page
        else [],
        "pages": page.links("" if wanted == "waiting" else f"status={wanted}") if page else {},
        "states": [(OUTCOMES[key][0], f"?status={key}", key == wanted) for key in _STATES],
        "waiting": wanted == BankCredit.Status.WAITING,
        "may_write": may_write(request),
        "preview": preview,
        "chosen": chosen,
        "given": request.POST.get("invoice", ""),
        "errors": errors,
        "labels": LABELS,
    }
    return render(request, "billing/bank.html", context, status=status)


_STATES = BankCredit.Status.values


def _act(request: HttpRequest, action: str, chosen: str) -> dict[str, Any] | None:
    """Do what a form asks for. Return what to show first, or ``None`` when it is done."""
    actor = cast(User, request.user)
    if action == "assign":
        given = checked(AssignSerializer, {"invoice": request.POST.get("invoice", "")})
        invoice = invoice_named(given["invoice"])
        credit_assign(actor=actor, credit_id=_key(chosen), invoice=invoice)
        messages.success(request, _("The payment is booked."))
        return None
    if action == "aside":
        reason = request.POST.get("reason", "").strip() or _("For no invoice")
        given = checked(SetAsideSerializer, {"reason": reason})
        credit_set_aside(actor=actor, credit_id=_key(chosen), reason=given["reason"])
        messages.success(request, _("The money is set aside."))
        return None
    data = _file(request)
    lines = read_statement(io.BytesIO(data), most=SHOWN_MAX)
    done = statement_import(actor=actor, lines=lines, dry_run=action != "import")
    if not done.dry_run:
        messages.success(request, _told(done))
        return None
    return {
        "content": base64.b64encode(zlib.compress(data)).decode(),
        "told": _told(done),
        "rows": [
            (each, OUTCOMES[each.outcome], WHY.get(each.credit.why, "")) for each in done.taken
        ],
        "debits": done.debits + done.others,
        "is_new": bool(done.counted().total() - done.counted()[KNOWN]),
    }


def _key(chosen: str) -> UUID:
    return key_of(chosen)


def _file(request: HttpRequest) -> bytes:
    """Return the file that was chosen, or the one that was shown. Raise ``ValidationFailed``."""
    shown = request.POST.get("content", "")
    if shown:
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(
                base64.b64decode(shown, validate=True), max_length=FILE_MAX_BYTES + 1
            )
        except (binascii.Error, ValueError, zlib.error):
            data = b""
    else:
        file = request.FILES.get("file")
        data = file.read(FILE_MAX_BYTES + 1) if file else b""
    if not data:
        raise wrong("file", _("Choose a file."), "required")
    if len(data) > FILE_MAX_BYTES:
        raise wrong("file", _("This file is too large."))
    return data


def _told(done: Imported) -> str:
    counted = done.counted()
    booked, waiting = counted["booked"], counted["waiting"]
    parts = [
        ngettext("%(count)s payment is matched.", "%(count)s payments are matched.", booked)
        % {"count": booked}
    ]
    if waiting:
        parts.append(
            ngettext(
                "%(count)s is to be assigned by hand.",
                "%(count)s are to be assigned by hand.",
                waiting,
            )
            % {"count": waiting}
        )
    if counted[KNOWN]:
        known = counted[KNOWN]
        parts.append(
            ngettext("%(count)s was imported before.", "%(count)s were imported before.", known)
            % {"count": known}
        )
    return " ".join(parts)
