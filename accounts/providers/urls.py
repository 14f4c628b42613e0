"""The pages of providers, below ``/accounts/``."""

from django.urls import path

from accounts.providers.buttons import leads_to_providers
from accounts.providers.pages import connections, provider_callback, provider_login, provider_signup
from accounts.rules import OPEN, declare

urlpatterns = [
    path("3rdparty/", leads_to_providers(connections), name="socialaccount_connections"),
    *declare([path("3rdparty/signup/", provider_signup, name="socialaccount_signup")], OPEN),
    path("oidc/<str:id>/login/", provider_login, name="provider_login"),
    path("oidc/<str:id>/login/callback/", provider_callback, name="provider_callback"),
]
