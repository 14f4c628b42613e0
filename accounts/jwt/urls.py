"""The routes of JWTs, below ``/api/v1/``."""

from django.urls import path

from accounts.jwt import api

urlpatterns = [
    path("auth/jwt/", api.JwtView.as_view(), name="api_jwt"),
    path("auth/jwt/refresh/", api.JwtRefreshView.as_view(), name="api_jwt_refresh"),
    path("auth/jwt/revoke/", api.JwtRevokeView.as_view(), name="api_jwt_revoke"),
]
