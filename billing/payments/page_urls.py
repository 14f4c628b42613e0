"""The page of the provider for trying out, below ``/billing/``."""

from django.urls import path

from billing.payments.practice_page import practice_payment

urlpatterns = [
    path("test-payment/<uuid:id>/", practice_payment, name="billing_test_payment"),
]
