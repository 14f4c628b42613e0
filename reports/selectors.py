"""Reads of reports, and of their purchases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Count, DecimalField, ExpressionWrapper, F, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission, allows
from documents.models import Document
from purchases.models import Purchase
from reports.access import may_see_all_reports
from reports.accounts import Account, account_of
from reports.contents import (
    CurrencyTotal,
    MonthTotal,
    SalesHeader,
    SalesLine,
    StatementHeader,
    StatementLine,
)
from reports.models import Kind, Report
from shop.core.errors import NotFound
from shop.core.merged import Merged
from shop.core.replica import database_that_has
from shop.core.site_settings.general import SITE_NAME, logo_file

_AMOUNT = ExpressionWrapper(
    F("price") * F("quantity"), output_field=DecimalField(max_digits=30, decimal_places=2)
)


def reports_for(user: User) -> QuerySet[Report]:
    """Return the reports that the account may see: its own, or everybody's.

    An account that loses this right also loses sight of reports about others that it asked for.
    """
    queryset = Report.objects.select_related("requested_by")
    if may_see_all_reports(user):
        return queryset
    return queryset.filter(requested_by=user).filter(kind=Kind.STATEMENT)


def report_of(user: User, id: UUID) -> Report:
    """Return one report; raise ``NotFound`` where the account may not see it."""
    report = reports_for(user).filter(pk=id).first()
    if report is None:
        raise NotFound()
    return report


def statements_of(caller: Caller, customer: User, count: int) -> list[Report]:
    """Return the newest statements of a customer's purchases that the caller may see.

    These are the customer's own, and for who sees all reports also those that staff asked for.
    """
    reports = Report.objects.order_by("-created_at", "-id")
    own = reports.filter(requested_by=customer, kind=Kind.STATEMENT)
    if not allows(caller.permissions, Permission.REPORTS_READ_ALL):
        return list(own[:count]) if customer.pk == caller.id else []
    by_staff = reports.filter(kind=Kind.CUSTOMER, parameters__customer=customer.pk)
    return list(Merged(own, by_staff).order_by("-created_at", "-id").first_rows(count))


@contextmanager
def snapshot(using: str) -> Iterator[None]:
    """Read everything in the block from one snapshot, so that lines and totals agree."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def report_to_render(report: Document) -> Document:
    """Return the report, from the database that its purchases are read from.

    That is the replica if it has replayed the claim, because it then has all earlier commits.
    """
    same = {"pk": report.pk, "claim": report.claim}
    using = database_that_has(lambda alias: Document.objects.using(alias).filter(**same).exists())
    return Document.objects.using(using).select_related("requested_by").get(pk=report.pk)


def _purchases(report: Document) -> QuerySet[Purchase]:
    since, until = report.period
    begin = datetime.combine(since, time.min, tzinfo=UTC)
    end = datetime.combine(until, time.max, tzinfo=UTC)
    purchases = Purchase.objects.using(report._state.db)
    queryset = purchases.filter(timestamp__gte=begin, timestamp__lte=end)
    if report.kind in (Kind.STATEMENT, Kind.CUSTOMER):
        queryset = queryset.filter(customer_id=_customer_id(report))
    return queryset


def _customer_id(report: Document) -> int:
    if report.kind == Kind.CUSTOMER:
        return int(report.parameters["customer"])
    return report.account.pk


def _totals(report: Document) -> tuple[list[MonthTotal], list[CurrencyTotal]]:
    queryset = _purchases(report).order_by()
    # `Any`, because the stubs cannot type columns from a mapping.
    sums: dict[str, Any] = {"purchases": Count("pk"), "amount": Sum(_AMOUNT)}
    months: Any = (
        queryset.annotate(month=TruncMonth("timestamp", tzinfo=UTC))
        .values("month", "currency")
        .annotate(**sums)
        .order_by("month", "currency")
    )
    totals: Any = queryset.values("currency").annotate(**sums).order_by("currency")
    return (
        [
            MonthTotal(
                month=row["month"].date(),
                currency=row["currency"],
                purchases=row["purchases"],
                total=row["amount"],
            )
            for row in months
        ],
        [
            CurrencyTotal(currency=row["currency"], purchases=row["purchases"], total=row["amount"])
            for row in totals
        ],
    )


def statement_header(report: Document) -> StatementHeader:
    """Return a statement's customer, period and totals."""
    months, totals = _totals(report)
    since, until = report.period
    customer = User.objects.using(report._state.db).get(pk=_customer_id(report))
    account = account_of(report, customer.pk) if _may_see_account(report) else Account()
    return StatementHeader(
        report_id=report.pk,
        shop_name=SITE_NAME.value,
        logo=logo_file(),
        username=customer.username,
        userid=customer.userid,
        # Who asks for somebody else's statement need not be allowed to see the address.
        email=customer.email if report.kind == Kind.STATEMENT else "",
        since=since,
        until=until,
        generated_at=timezone.now(),
        months=months,
        totals=totals,
        account=account.lines,
        before=account.before,
        after=account.after,
    )


def _may_see_account(report: Document) -> bool:
    """Return whether whoever asks for the statement may see the customer's invoices."""
    own = report.kind == Kind.STATEMENT
    needed = Permission.BILLING_READ if own else Permission.BILLING_READ_ALL
    return settings.BILLING and allows(report.account.permissions, needed)


def statement_lines(report: Document) -> Iterator[StatementLine]:
    """Yield the period's purchases, oldest first, through a server-side cursor."""
    rows = (
        _purchases(report)
        .order_by("timestamp", "id")
        .values_list("timestamp", "item", "quantity", "price", "currency")
    )
    for timestamp, item, quantity, price, currency in rows.iterator(chunk_size=2000):
        yield StatementLine(
            timestamp=timestamp,
            item=item,
            quantity=quantity,
            price=price,
            currency=currency,
            total=price * quantity,
        )


def sales_header(report: Document) -> SalesHeader:
    """Return the period and totals of everybody's purchases."""
    months, totals = _totals(report)
    since, until = report.period
    return SalesHeader(
        report_id=report.pk,
        shop_name=SITE_NAME.value,
        logo=logo_file(),
        since=since,
        until=until,
        generated_at=timezone.now(),
        months=months,
        totals=totals,
    )


def sales_lines(report: Document) -> Iterator[SalesLine]:
    """Yield each customer's totals of the period, by username and currency."""
    rows = (
        _purchases(report)
        .order_by()
        .values("customer__username", "customer__userid", "currency")
        .annotate(purchases=Count("pk"), amount=Sum(_AMOUNT))
        .order_by("customer__username", "customer__userid", "currency")
    )
    for row in rows.iterator(chunk_size=2000):
        yield SalesLine(
            username=row["customer__username"],
            userid=row["customer__userid"],
            currency=row["currency"],
            purchases=row["purchases"],
            total=row["amount"],
        )
