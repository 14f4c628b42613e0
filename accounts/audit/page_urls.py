"""The pages of the audit, below ``/``."""

from django.urls import path

from accounts.audit.pages import audit_entry, audit_list, security

urlpatterns = [
    path("audit/", audit_list, name="audit"),
    path("audit/<int:seq>/", audit_entry, name="audit_entry"),
    path("accounts/security/", security, name="security"),
]
