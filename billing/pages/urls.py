"""The pages of billing, below ``/billing/``."""

from django.urls import path

from billing.pages import customers, documents

urlpatterns = [
    path("", customers.home, name="billing_home"),
    path("credit-notes/", customers.credit_notes, name="billing_credit_notes"),
    path("invoices/<uuid:id>/", documents.invoice, name="billing_invoice"),
    path("credit-notes/<uuid:id>/", documents.credit_note, name="billing_credit_note"),
]
