"""Give the demo accounts of a development database invoices to look at."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from billing.coupons.models import Coupon
from billing.coupons.services import coupon_create
from billing.credits.services import credit_note_create
from billing.credits.shares import Asked
from billing.invoices.composing import Request
from billing.invoices.drafts import draft_create, draft_issue
from billing.invoices.models import Document
from billing.parties.profiles import profile_of, profile_set
from billing.payments.paying import payment_book
from billing.taxes.models import TaxRate
from billing.taxes.services import rate_create
from purchases.services import record_purchase
from purchases.validation import PurchaseInput

CODE = "WELCOME10"
ADDRESSES = {
    "joe": ("Joe Bloggs", "Long Street 1\n10115 Berlin", "DE"),
    "ann": ("Ann Other Ltd", "1 High Street\nLondon N1 9GU", "GB"),
}


class Command(BaseCommand):
    help = (
        "Makes a tax rate, a coupon, purchases of joe and ann, and four invoices of them: one that "
        "is paid, one due today, one that is credited in part, and a draft; for development only."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEVELOPMENT and settings.BILLING):
            raise CommandError("There is a demo only where ENVIRONMENT=development and BILLING.")
        accounts = User.objects.in_bulk(["joe", "ann", "fin"], field_name="username")
        if len(accounts) < 3:
            raise CommandError("There are no demo accounts; `make run` makes them.")
        if Coupon.objects.filter(code=CODE).exists():
            raise CommandError("The demo was made before.")
        self.fin = accounts["fin"]
        self._prepare(accounts)
        joe, ann = accounts["joe"], accounts["ann"]
        paid = self._invoice(joe, [("Espresso beans, 1 kg", "18.90", 2), ("Filter", "4.50", 1)])
        payment_book(
            actor=self.fin,
            document=paid,
            amount=paid.total,
            paid_on=timezone.localdate(),
            reference="Transfer 4711",
        )
        self._invoice(joe, [("Grinder", "129.00", 1)], due_days=0)
        credited = self._invoice(ann, [("Cup", "7.95", 6), ("Tray", "24.00", 1)], coupons=[CODE])
        credit_note_create(
            actor=self.fin,
            invoice=credited,
            lines=[Asked(position=1, quantity=2)],
            reason="Two cups arrived broken",
        )
        self._buy(ann, [("Tea pot", "34.50", 1)])
        draft_create(self.fin, ann, Request())
        self.stdout.write(
            "Made invoices of joe and ann. Sign in as joe / demo-joe at /billing/, and as "
            "fin / demo-fin at /billing/manage/."
        )

    def _prepare(self, accounts: dict[Any, User]) -> None:
        if not TaxRate.objects.exists():
            # It is as old as what may have been imported before.
            since = timezone.localdate().replace(year=2000, month=1, day=1)
            rate_create(
                actor=self.fin, code="standard", category="S", rate=Decimal(19), valid_from=since
            )
        coupon_create(actor=self.fin, given={"code": CODE, "percent": Decimal(10)})
        for username, (name, address, country) in ADDRESSES.items():
            account = accounts[username]
            if not profile_of(account).name:
                profile_set(
                    actor=self.fin,
                    account=account,
                    name=name,
                    address=address,
                    country=country,
                    vat_id="",
                )

    def _buy(self, customer: User, lines: list[tuple[str, str, int]]) -> list[UUID]:
        """Record purchases of yesterday; return their ids."""
        start = timezone.now() - timedelta(days=1)
        return [
            UUID(
                record_purchase(
                    caller=Caller.of(customer),
                    purchase=PurchaseInput(
                        item=item,
                        quantity=quantity,
                        price=Decimal(price),
                        currency="EUR",
                        timestamp=start + timedelta(minutes=minute),
                        userid=None,
                        username=None,
                    ),
                ).values[0]
            )
            for minute, (item, price, quantity) in enumerate(lines)
        ]

    def _invoice(self, customer: User, lines: list[tuple[str, str, int]], **asked: Any) -> Document:
        request = Request(purchases=self._buy(customer, lines), **asked)
        return draft_issue(self.fin, draft_create(self.fin, customer, request).pk)[0]
