"""The pages of billing, below ``/``."""

from django.conf import settings
from django.urls import URLResolver, include, path

urlpatterns: list[URLResolver] = (
    [path("billing/", include("billing.pages.urls"))] if settings.BILLING else []
)
