"""The routes of invoices, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.invoices import api, verify_api

urlpatterns: list[URLPattern] = [
    path("invoices/", api.InvoiceListView.as_view(), name="api_invoices"),
    path("invoices/<str:id>/", api.InvoiceView.as_view(), name="api_invoice"),
    path("invoices/<str:id>/issue/", api.IssueView.as_view(), name="api_invoice_issue"),
    path("credit-notes/", api.CreditNoteListView.as_view(), name="api_credit_notes"),
    path("credit-notes/<str:id>/", api.CreditNoteView.as_view(), name="api_credit_note"),
    path("verify/", verify_api.VerifyView.as_view(), name="api_verify"),
    path("series/<str:code>/chain/", verify_api.ChainView.as_view(), name="api_chain"),
]
