"""The pages of providers, below ``/accounts/``."""

from allauth.socialaccount.views import signup
from django.urls import path

from accounts.providers.pages import connections, provider_callback, provider_login
from accounts.rules import OPEN, declare

urlpatterns = [
    path("3rdparty/", connections, name="socialaccount_connections"),
    *declare([path("3rdparty/signup/", signup, name="socialaccount_signup")], OPEN),
    path("oidc/<str:id>/login/", provider_login, name="provider_login"),
    path("oidc/<str:id>/login/callback/", provider_callback, name="provider_callback"),
]
