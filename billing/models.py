"""The tables of billing, each in the module of its part."""

from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.invoices.models import (
    Balance,
    Claim,
    Document,
    Draft,
    Entry,
    Line,
    Series,
    Tax,
)
from billing.parties.models import Party, Profile
from billing.payments.bank_statements.models import BankCredit
from billing.payments.models import Chargeback, Payment, ProviderEvent, Refund
from billing.runs.models import Run, RunInvoice
from billing.taxes.models import ItemTax, TaxRate

__all__ = [
    "Balance",
    "BankCredit",
    "Chargeback",
    "Claim",
    "Coupon",
    "CouponCustomer",
    "Document",
    "Draft",
    "Entry",
    "ItemTax",
    "Line",
    "Party",
    "Payment",
    "Profile",
    "ProviderEvent",
    "Redemption",
    "Refund",
    "Run",
    "RunInvoice",
    "Series",
    "Tax",
    "TaxRate",
]
