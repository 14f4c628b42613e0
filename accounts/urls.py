"""The account routes, below ``/api/v1/``."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("accounts/", api.AccountListView.as_view(), name="api_accounts"),
    path("accounts/me/", api.MeView.as_view(), name="api_me"),
    path("auth/token/", api.TokenView.as_view(), name="api_token"),
    path("auth/logout/", api.LogoutView.as_view(), name="api_logout"),
    path("live-ticket/", api.LiveTicketView.as_view(), name="api_live_ticket"),
]
