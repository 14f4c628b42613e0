"""The routes of keys, below ``/api/v1/``."""

from django.urls import path

from accounts.keys import api

urlpatterns = [
    path("keys/", api.KeyListView.as_view(), name="api_keys"),
    path("keys/<str:id>/", api.KeyView.as_view(), name="api_key"),
    path("keys/<str:id>/rotate/", api.KeyRotationView.as_view(), name="api_key_rotate"),
]
