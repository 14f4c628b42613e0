"""The pages of keys."""

from django.urls import path

from accounts.keys import pages

urlpatterns = [
    path("accounts/keys/", pages.key_list, name="key_list"),
    path("accounts/keys/<uuid:id>/", pages.key_detail, name="key_detail"),
    path("accounts/keys/<uuid:id>/rotate/", pages.key_rotate, name="key_rotate"),
    path("accounts/keys/<uuid:id>/end/", pages.key_end, name="key_end"),
]
