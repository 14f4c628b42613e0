"""The pages of billing, below ``/billing/``."""

from django.urls import path

from billing.pages import (
    checking,
    correcting,
    coupons,
    customers,
    documents,
    drafts,
    files,
    manage,
    movements,
    paying,
    profiles,
    runs,
    taxes,
)

INVOICE, NOTE = {"kind": "invoice"}, {"kind": "credit_note"}
urlpatterns = [
    path("", customers.home, name="billing_home"),
    path("verify/", checking.verify, name="billing_verify"),
    path("credit-notes/", customers.credit_notes, name="billing_credit_notes"),
    path("profile/", profiles.profile, name="billing_address"),
    path("invoices/<uuid:id>/", documents.invoice, name="billing_invoice"),
    path("invoices/<uuid:id>/pay/", paying.pay, name="billing_pay"),
    path("invoices/<uuid:id>/book/", paying.book, name="billing_book"),
    path("invoices/<uuid:id>/credit/", correcting.credit_form, name="billing_credit"),
    path("invoices/<uuid:id>/void/", correcting.void, name="billing_invoice_void"),
    path("invoices/<uuid:id>/pdf/", files.pdf, INVOICE, name="billing_invoice_pdf"),
    path("invoices/<uuid:id>/send/", files.send, INVOICE, name="billing_invoice_send"),
    path("credit-notes/<uuid:id>/pdf/", files.pdf, NOTE, name="billing_credit_note_pdf"),
    path("credit-notes/<uuid:id>/send/", files.send, NOTE, name="billing_credit_note_send"),
    path("credit-notes/<uuid:id>/", documents.credit_note, name="billing_credit_note"),
    path("manage/", manage.invoices, name="billing_manage"),
    path("manage/credit-notes/", manage.credit_notes, name="billing_manage_credit_notes"),
    path("manage/addresses/<path:userid>/", profiles.customer_profile, name="billing_customer"),
    path("manage/drafts/", drafts.make, name="billing_draft_make"),
    path("manage/drafts/<uuid:id>/", drafts.draft, name="billing_draft"),
    path("manage/drafts/<uuid:id>/issue/", drafts.issue, name="billing_draft_issue"),
    path("manage/drafts/<uuid:id>/discard/", drafts.discard, name="billing_draft_discard"),
    path("manage/payments/", movements.payments, name="billing_payments"),
    path("manage/payments/<uuid:id>/", movements.payment, name="billing_payment"),
    path("manage/refunds/", movements.refunds, name="billing_refunds"),
    path("manage/disputes/", movements.disputes, name="billing_disputes"),
    path("manage/disputes/<uuid:id>/", movements.verdict, name="billing_dispute_verdict"),
    path("manage/coupons/", coupons.coupon_list, name="billing_coupons"),
    path("manage/coupons/<uuid:id>/", coupons.coupon, name="billing_coupon"),
    path("manage/runs/", runs.run_list, name="billing_runs"),
    path("manage/runs/<uuid:id>/", runs.run, name="billing_run"),
    path("manage/taxes/", taxes.tax_rates, name="billing_taxes"),
]
