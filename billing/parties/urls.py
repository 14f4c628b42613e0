"""The route of profiles, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.parties.api import ProfileView

urlpatterns: list[URLPattern] = [
    path("profile/", ProfileView.as_view(), name="billing_profile"),
]
