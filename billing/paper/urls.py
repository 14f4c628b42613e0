"""The routes of papers, e-invoices and mails, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.paper import api

_INVOICE, _NOTE = "invoices/<str:id>/", "credit-notes/<str:id>/"

urlpatterns: list[URLPattern] = [
    path(f"{_INVOICE}pdf/", api.InvoicePaperView.as_view(), name="api_invoice_pdf"),
    path(f"{_INVOICE}xml/", api.InvoiceXmlView.as_view(), name="api_invoice_xml"),
    path(f"{_INVOICE}send/", api.InvoiceSendView.as_view(), name="api_invoice_send"),
    path(f"{_NOTE}pdf/", api.CreditNotePaperView.as_view(), name="api_credit_note_pdf"),
    path(f"{_NOTE}xml/", api.CreditNoteXmlView.as_view(), name="api_credit_note_xml"),
    path(f"{_NOTE}send/", api.CreditNoteSendView.as_view(), name="api_credit_note_send"),
]
