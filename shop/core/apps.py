"""What an app adds to the whole, declared in its own ``AppConfig``.

The core asks every installed app what it declares; no app registers itself anywhere. So a new app
touches its own folder and one line of the settings::

    class BillingConfig(ShopAppConfig):
        name = "billing"
        api_urls = "billing.urls"
        append_only = {"Refund": ()}
        health_checks = {"ledger": "billing.health.check_ledger"}
        navigation = (NavigationEntry("Invoices", "invoice_list", place=25),)

Django makes the configurations before it loads any model. Whatever could import one is therefore
declared by its dotted name, and is imported when somebody asks for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.utils.module_loading import import_string


def is_signed_in(user: Any) -> bool:
    """Return whether the user of a request has signed in."""
    return bool(user.is_authenticated)


def is_staff(user: Any) -> bool:
    """Return whether the user of a request may enter the administration."""
    return bool(user.is_authenticated and user.is_staff)


def is_anybody(user: Any) -> bool:
    """Return True: the entry is for whoever comes."""
    return True


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link at the top of every page: to the URL called ``route``, for those it is shown to.

    Entries stand in the order of their places, whatever app they are from.
    """

    label: str
    route: str
    place: int
    shown_to: Callable[[Any], bool] = is_signed_in


class ShopAppConfig(AppConfig):
    """An app of the shop. What it does not declare it does not have."""

    # Django takes the one class of a module that is a default, and this one is imported there too.
    default = False

    api_urls: ClassVar[str] = ""
    """The module of the URL patterns below ``/api/v1/``."""
    page_urls: ClassVar[str] = ""
    """The module of the URL patterns below ``/``."""
    classic_urls: ClassVar[str] = ""
    """The module of the original service's URL patterns, which it had below a prefix too."""
    append_only: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Models whose rows only grow: the columns that the application may still update."""
    maintained: ClassVar[Sequence[str]] = ()
    """Models whose tables the application may vacuum itself."""
    health_checks: ClassVar[Mapping[str, str]] = {}
    """A dependency's name: a callable that raises, ``Unhealthy`` at best, where it is not well."""
    metrics: ClassVar[Sequence[str]] = ()
    """Callables without arguments that return Prometheus's families, read from the database."""
    ledger_checks: ClassVar[Sequence[str]] = ()
    """Sequences of ``LedgerCheck``, for ``manage.py verify_ledger``."""
    navigation: ClassVar[Sequence[NavigationEntry]] = ()
    beat: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Entries of Celery's beat schedule."""
    error_dialects: ClassVar[Sequence[str]] = ()
    """``Dialect``s of routes whose errors have a shape of their own."""
    event_types: ClassVar[str] = ""
    """The module that declares the app's types of events."""
    followers: ClassVar[Sequence[str]] = ()
    """Followers of the event log."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.default = True


def shop_apps() -> list[ShopAppConfig]:
    """Return the configurations of the shop's own apps, in the order of the settings."""
    return [config for config in apps.get_app_configs() if isinstance(config, ShopAppConfig)]


def declared_urls(kind: str) -> list[str]:
    """Return the modules of URL patterns that the apps declare; ``kind`` is ``"api_urls"``, …."""
    return [module for config in shop_apps() if (module := getattr(config, kind))]


def health_checks() -> dict[str, Callable[[], None]]:
    """Return the checks of what the apps depend on, by name."""
    return {
        name: import_string(check)
        for config in shop_apps()
        for name, check in config.health_checks.items()
    }


def metric_collectors() -> dict[str, Callable[[], Any]]:
    """Return what collects the apps' metrics, by dotted name."""
    return {name: import_string(name) for config in shop_apps() for name in config.metrics}


def ledger_checks() -> Iterator[Any]:
    """Yield every app's ``LedgerCheck``."""
    for config in shop_apps():
        for checks in config.ledger_checks:
            yield from import_string(checks)


def append_only_tables() -> dict[str, Sequence[str]]:
    """Return the tables that only grow: the columns of each that may still be updated."""
    return {
        config.get_model(model)._meta.db_table: columns
        for config in shop_apps()
        for model, columns in config.append_only.items()
    }


def maintained_tables() -> list[str]:
    """Return the tables that the application may vacuum itself."""
    return [
        config.get_model(model)._meta.db_table
        for config in shop_apps()
        for model in config.maintained
    ]


def navigation_for(user: Any) -> list[NavigationEntry]:
    """Return what the user is shown at the top of every page."""
    entries = (entry for config in shop_apps() for entry in config.navigation)
    return sorted(
        (entry for entry in entries if entry.shown_to(user)), key=lambda entry: entry.place
    )


def beat_schedule() -> dict[str, Mapping[str, Any]]:
    """Return Celery's beat schedule."""
    return {name: entry for config in shop_apps() for name, entry in config.beat.items()}


def error_dialects() -> list[Any]:
    """Return every app's ``Dialect``."""
    return [import_string(name) for config in shop_apps() for name in config.error_dialects]
