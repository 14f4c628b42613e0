"""The pages of one's own data, and of others'."""

from django.urls import path

from personal import pages, person_pages

urlpatterns = [
    path("accounts/data/", pages.data, name="personal_data"),
    path("accounts/data/cancel/", pages.cancel, name="personal_erasure_cancel"),
    # Old userids may have slashes in them.
    path("people/erasing/<path:userid>/", person_pages.erasing, name="person_erasing"),
]
