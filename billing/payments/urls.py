"""The routes of payments, below ``/api/v1/billing/``."""

from django.urls import path

from billing.payments import api, webhook_api
from billing.payments.bank_statements import api as bank

urlpatterns = [
    path("invoices/<str:id>/pay/", api.PayView.as_view(), name="api_pay"),
    path("invoices/<str:id>/payments/", api.BookView.as_view(), name="api_book_payment"),
    path("payments/", api.PaymentListView.as_view(), name="api_payments"),
    path("payments/<str:id>/", api.PaymentView.as_view(), name="api_payment"),
    path("payments/<str:id>/refunds/", api.RefundRequestView.as_view(), name="api_ask_refund"),
    path(
        "payments/<str:id>/chargebacks/",
        api.ChargebackOpenView.as_view(),
        name="api_open_chargeback",
    ),
    path("refunds/", api.RefundListView.as_view(), name="api_refunds"),
    path("refunds/<str:id>/", api.RefundView.as_view(), name="api_refund"),
    path("refunds/<str:id>/failed/", api.RefundFailedView.as_view(), name="api_refund_failed"),
    path("chargebacks/", api.ChargebackListView.as_view(), name="api_chargebacks"),
    path("chargebacks/<str:id>/", api.ChargebackView.as_view(), name="api_chargeback"),
    path("chargebacks/<str:id>/won/", api.WonView.as_view(), name="api_chargeback_won"),
    path("chargebacks/<str:id>/lost/", api.LostView.as_view(), name="api_chargeback_lost"),
    path("bank-statements/", bank.StatementView.as_view(), name="api_bank_statements"),
    path("bank-credits/", bank.CreditListView.as_view(), name="api_bank_credits"),
    path("bank-credits/<str:id>/", bank.CreditView.as_view(), name="api_bank_credit"),
    path("bank-credits/<str:id>/assign/", bank.AssignView.as_view(), name="api_assign_credit"),
    path(
        "bank-credits/<str:id>/set-aside/",
        bank.SetAsideView.as_view(),
        name="api_set_credit_aside",
    ),
    path("webhooks/<str:provider>/", webhook_api.WebhookView.as_view(), name="api_payment_webhook"),
]
