"""What billing adds to the pages of a customer and of a purchase."""

from urllib.parse import urlencode

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from billing.coupons.models import Redemption
from billing.invoices.models import Balance, Claim, Line
from billing.pages.customers import invoice_rows, owed_by
from billing.pages.shown import url_of
from billing.presence import has_issued
from purchases.models import Purchase
from shop.core.money import shown
from shop.core.panels import Moment, Panel

SHOWN = 5


def customer_panel(caller: Caller, customer: User) -> Panel | None:
    """Return what the customer owes, and the newest invoices; finance can make another."""
    is_own = customer.pk == caller.id
    if not allows(caller.permissions, P.BILLING_READ):
        return None
    if not is_own and not allows(caller.permissions, P.BILLING_READ_ALL):
        return None
    makes = allows(caller.permissions, P.BILLING_WRITE_ALL) and not is_own
    if not has_issued() and not makes:
        return None
    balances = list(
        Balance.objects.filter(customer=customer)
        .select_related("document")
        .defer("document__canonical")
        .order_by("-document")[:SHOWN]
    )
    if is_own and not balances:
        return None
    rows = invoice_rows(balances)
    context = {
        "owed": owed_by(customer.pk),
        "rows": rows,
        "all": reverse("billing_home") if is_own else _all(customer),
        "make": _make(customer) if makes else "",
        "address": reverse("billing_customer", args=[customer.userid]) if makes else "",
    }
    moments = [
        Moment(
            balance.document.issued_at,
            _("Invoice %(number)s issued: %(total)s")
            % {
                "number": balance.document.label,
                "total": shown(balance.total, balance.currency),
            },
            url_of(balance.document),
            icon="receipt-text",
        )
        for balance in balances
    ]
    return Panel(_("Invoices"), "billing/_customer.html", context, place=20, moments=moments)


def purchase_panel(caller: Caller, purchase: Purchase) -> Panel | None:
    """Return the invoice that a purchase is on, its discount there, and what was credited."""
    if not allows(caller.permissions, P.BILLING_READ):
        return None
    if purchase.customer_id != caller.id and not allows(caller.permissions, P.BILLING_READ_ALL):
        return None
    if not has_issued():
        return None
    claim = Claim.objects.filter(pk=purchase.pk).first()
    coupon = (
        Redemption.objects.filter(purchase=purchase.pk, releases=None)
        .select_related("coupon")
        .first()
    )
    if claim is None and coupon is None and not allows(caller.permissions, P.BILLING_READ_ALL):
        return None
    context: dict[str, object] = {"coupon": coupon, "currency": purchase.currency}
    if claim is not None:
        balance = (
            Balance.objects.select_related("document")
            .defer("document__canonical")
            .get(pk=claim.document_id)
        )
        line = Line.objects.get(document=claim.document_id, purchase=purchase.pk)
        credited = Line.objects.filter(credits=line).aggregate(
            pieces=Sum("quantity"), gross=Sum("gross"), discount=Sum("discount")
        )
        context |= {
            "row": invoice_rows([balance])[0],
            "line": line,
            "credited": credited["pieces"],
            "credited_amount": credited["gross"] - credited["discount"]
            if credited["gross"] is not None
            else None,
        }
    return Panel(_("Invoice"), "billing/_purchase.html", context, place=20)


def _all(customer: User) -> str:
    return f"{reverse('billing_manage')}?{urlencode({'username': customer.username})}"


def _make(customer: User) -> str:
    return f"{reverse('billing_draft_make')}?{urlencode({'customer': customer.userid})}"
