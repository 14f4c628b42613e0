"""What the project itself adds to the site."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from shop.core import env, site_settings
from shop.core.apps import NavigationEntry, ShopAppConfig, is_anybody, is_staff
from shop.core.log_levels import set_levels
from shop.core.logs import log_crashes
from shop.core.redaction import know


class ShopConfig(ShopAppConfig):
    """What every app may use, and the system checks of the whole project."""

    name = "shop"
    personal_data = "shop.columns.TABLES"
    site_settings = ("shop.core.site_settings.general.SETTINGS",)
    ledger_checks = ("shop.core.append_only.CHECKS",)
    navigation = (
        NavigationEntry(
            _("Admin"), "admin:index", place=90, shown_to=is_staff, group="run", icon="wrench"
        ),
        NavigationEntry(
            _("API"), "documentation", place=100, shown_to=is_anybody, group="build", icon="code"
        ),
    )

    def ready(self) -> None:
        from shop.core import checks, declarations  # noqa: F401

        know(env.secret_texts())
        if settings.LOG_JSON:
            log_crashes()
        site_settings.load_declarations()
        site_settings.when_changed(set_levels)
