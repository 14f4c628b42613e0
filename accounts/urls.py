"""The account routes, below ``/api/v1/``."""

from django.urls import include, path

from accounts import api
from accounts.audit import api as audit
from accounts.captcha.api import CaptchaView

urlpatterns = [
    path("", include("accounts.keys.urls")),
    path("", include("accounts.jwt.urls")),
    path("", include("accounts.sessions.urls")),
    path("captcha/", CaptchaView.as_view(), name="api_captcha"),
    path("accounts/me/", api.MeView.as_view(), name="api_me"),
    path("accounts/me/audit/", audit.MyAuditView.as_view(), name="api_my_audit"),
    path("audit/", audit.AuditListView.as_view(), name="api_audit"),
    path("audit/export.csv", audit.AuditCSVView.as_view(), name="api_audit_csv"),
    path("audit/export.jsonl", audit.AuditJSONLView.as_view(), name="api_audit_jsonl"),
    path("audit/verify/", audit.AuditVerifyView.as_view(), name="api_audit_verify"),
    path("audit/checkpoint/", audit.AuditCheckpointView.as_view(), name="api_audit_checkpoint"),
    path("auth/token/", api.TokenView.as_view(), name="api_token"),
    path("auth/logout/", api.LogoutView.as_view(), name="api_logout"),
    path("live-ticket/", api.LiveTicketView.as_view(), name="api_live_ticket"),
]
