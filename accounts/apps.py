"""What accounts add to the site, and the names of third-party apps in the admin."""

from allauth.account.apps import AccountConfig as AllauthAccountConfig
from allauth.mfa.apps import MFAConfig as AllauthMFAConfig
from django.apps import AppConfig
from django.contrib.admin import apps as django_admin
from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class AccountsConfig(ShopAppConfig):
    """Users, sign-in, tokens, and who may see what."""

    name = "accounts"
    site_settings = ("accounts.site_settings.SETTINGS",)
    verbose_name = "Accounts"
    personal_data = "accounts.columns.TABLES"
    # The feed shows whose each purchase is.
    relay_rights = {"accounts_user": "SELECT (id, username, userid)"}
    api_urls = "accounts.urls"
    sealed = ("accounts.factors.totp.SEALED",)
    page_urls = "accounts.page_urls"
    works_read_only = (
        *("account_login", "account_logout", "account_reauthenticate"),
        *("account_request_login_code", "account_confirm_login_code", "provider_login"),
        *("mfa_authenticate", "mfa_login_webauthn"),
        *("mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
        *("api_token", "api_logout", "api_jwt", "api_jwt_refresh", "api_jwt_revoke"),
        *("session_list", "api_session", "api_sessions_end", "api_live_ticket"),
        *("preferences", "admin:logout"),
    )
    audit_actions = (
        "accounts.audit.actions.ACTIONS",
        "accounts.keys.actions.ACTIONS",
        "accounts.providers.actions.ACTIONS",
        "accounts.jwt.actions.ACTIONS",
    )
    navigation = (
        NavigationEntry(
            _("Audit"),
            "audit",
            place=50,
            shown_to=allowed(Permission.AUDIT_READ_ALL),
            group="run",
            icon="scroll-text",
        ),
        NavigationEntry(_("Keys"), "key_list", place=10, group="build", icon="key-round"),
    )
    person_panels = (
        "accounts.sessions.panels.sessions_panel",
        "accounts.audit.panels.audit_panel",
    )
    attention = ("accounts.attention.find_attention",)
    beat = {
        "sweep-mails": {
            "task": "accounts.sweep_mails",
            "schedule": 15.0,
            "options": {"expires": 15},
        },
        "purge-expired": {
            "task": "accounts.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }

    def ready(self) -> None:
        from accounts import schema  # noqa: F401
        from accounts.audit import recording  # noqa: F401
        from accounts.factors import relying_party  # noqa: F401
        from accounts.sessions import places

        places.connect()


class AdminConfig(django_admin.AdminConfig):
    """The admin, with the shop's rule who may enter."""

    # Django uses the only default class of a module.
    default = False

    default_site = "accounts.admin_site.ShopAdminSite"


class AddressesConfig(AllauthAccountConfig):
    """allauth, as the admin names it."""

    verbose_name = "E-mail addresses"


class FactorsConfig(AllauthMFAConfig):
    """allauth's second factors, as the admin names them."""

    verbose_name = "Second factors"


class TokensConfig(AppConfig):
    """knox, whose migrations made the table of ``accounts.Token``."""

    name = "knox"
    verbose_name = "API tokens"
