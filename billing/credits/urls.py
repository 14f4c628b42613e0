"""The routes of credit notes and voids, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.credits import api

urlpatterns: list[URLPattern] = [
    path("invoices/<str:id>/credit-notes/", api.CreditView.as_view(), name="billing_credit"),
    path("invoices/<str:id>/void/", api.VoidView.as_view(), name="billing_void"),
]
