"""The routes of billing, below ``/api/v1/``: those of its parts."""

from django.conf import settings
from django.urls import URLResolver, include, path

PARTS = ("invoices", "credits", "taxes", "parties", "paper", "coupons", "payments", "runs")

urlpatterns: list[URLResolver] = (
    [path("billing/", include(f"billing.{part}.urls")) for part in PARTS]
    if settings.BILLING
    else []
)
