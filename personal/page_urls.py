"""The page of one's own data."""

from django.urls import path

from personal import pages

urlpatterns = [
    path("accounts/data/", pages.data, name="personal_data"),
    path("accounts/data/cancel/", pages.cancel, name="personal_erasure_cancel"),
]
