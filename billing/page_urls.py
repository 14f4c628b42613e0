"""The pages of billing, below ``/``."""

from django.conf import settings
from django.urls import URLResolver, include, path

urlpatterns: list[URLResolver] = (
    [
        path("billing/", include("billing.pages.urls")),
        path("billing/", include("billing.payments.page_urls")),
    ]
    if settings.BILLING
    else []
)
