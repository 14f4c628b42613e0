"""The pages of second factors, below ``/accounts/2fa/``. allauth knows them by these names."""

from django.urls import path

from accounts.factors import pages, sign_in

urlpatterns = [
    path("", pages.overview, name="mfa_index"),
    path("authenticate/", sign_in.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", sign_in.reauthenticate_by_code, name="mfa_reauthenticate"),
    path("totp/activate/", pages.totp_activate, name="mfa_activate_totp"),
    path("totp/deactivate/", pages.totp_deactivate, name="mfa_deactivate_totp"),
    path("recovery-codes/", pages.recovery_codes, name="mfa_recovery_codes"),
    path("passkeys/add/", pages.passkey_add, name="mfa_add_webauthn"),
    path("passkeys/login/", sign_in.passkey_login, name="mfa_login_webauthn"),
    path(
        "passkeys/reauthenticate/",
        sign_in.reauthenticate_by_passkey,
        name="mfa_reauthenticate_webauthn",
    ),
    path("passkeys/<int:pk>/rename/", pages.passkey_rename, name="mfa_edit_webauthn"),
    path("passkeys/<int:pk>/remove/", pages.passkey_remove, name="mfa_remove_webauthn"),
]
