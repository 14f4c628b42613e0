"""Billing in the admin, read-only: what is shown is changed by the API and the pages alone."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing.coupons.models import Coupon
from billing.coupons.redeeming import normal
from billing.invoices.models import Balance, Document, Entry
from billing.payments.models import Chargeback, Payment, Refund
from shop.core.admin_tools import ReadOnlyAdmin


class _Shown(ReadOnlyAdmin):
    """Rows that are there only where the shop bills."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return settings.BILLING and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return settings.BILLING and super().has_view_permission(request, obj)


class _OfInvoice(_Shown):
    """Rows about an invoice, found by its number, and never with the bytes of documents."""

    invoice = "document__label"
    search_help_text = _("The whole number of an invoice.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("document__canonical")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(**{self.invoice: term.upper()}) if term else queryset), False


@admin.register(Document)
class DocumentAdmin(_OfInvoice):
    invoice = "label"
    list_display = ["label", "kind", "customer", "currency", "total", "issued_on", "due_on"]
    list_select_related = ["customer"]
    ordering = ["-id"]
    exclude = ["canonical", "previous_hash", "hash"]
    search_fields = ["=label", "=customer__username", "=customer__userid"]
    search_help_text = _("A whole number, username or userid.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super(_OfInvoice, self).get_queryset(request).defer("canonical")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if customers := User.objects.known_as(search_term.strip()):
            return queryset.filter(customer__in=customers), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(Balance)
class BalanceAdmin(_OfInvoice):
    list_display = ["document", "status", "total", "credited", "paid", "refunded", "charged_back"]
    list_select_related = ["document"]
    ordering = ["-document"]
    search_fields = ["=document__label"]


@admin.register(Entry)
class EntryAdmin(_OfInvoice):
    list_display = ["id", "document", "kind", "amount", "at"]
    list_select_related = ["document"]
    ordering = ["-id"]
    search_fields = ["=document__label"]


class _MovementAdmin(_OfInvoice):
    list_display = ["id", "document", "customer", "provider", "status", "amount", "currency"]
    list_select_related = ["document", "customer"]
    ordering = ["-id"]
    search_fields = ["=document__label"]
    # A link to pay is for the payer alone.
    exclude = ["action"]


admin.site.register((Payment, Refund, Chargeback), _MovementAdmin)


@admin.register(Coupon)
class CouponAdmin(_Shown):
    list_display = ["code", "percent", "amount", "currency", "active", "redeemed", "ends_at"]
    ordering = ["-created_at", "-id"]
    search_fields = ["=code"]
    search_help_text = _("A whole code.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(code=normal(search_term)) if search_term else queryset), False
