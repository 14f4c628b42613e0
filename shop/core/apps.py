"""What an app adds to the site, declared in its own ``AppConfig``.

The core asks every installed app for its declarations, so no app registers itself. A new app
touches only its own folder and one line of the settings::

    class BillingConfig(ShopAppConfig):
        name = "billing"
        api_urls = "billing.urls"
        append_only = ("Refund",)
        health_checks = {"ledger": "billing.health.check_ledger"}
        navigation = (NavigationEntry(_("Invoices"), "invoice_list", place=25, group="bill"),)

Django makes the configurations before it loads any model. So anything that could import a model is
declared by its dotted name, and imported on first use.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

GROUPS: Mapping[str, str | Promise] = {
    "sell": _("Sell"),
    "bill": _("Bill"),
    "win": _("Win"),
    "know": _("Know"),
    "run": _("Run"),
    "build": _("Build"),
}
"""The groups of the navigation and their headings, in order."""


def is_signed_in(user: Any) -> bool:
    """Return whether the user of a request has signed in."""
    return bool(user.is_authenticated)


def is_staff(user: Any) -> bool:
    """Return whether the user of a request may enter the admin."""
    return bool(user.is_authenticated and user.is_staff)


def is_anybody(user: Any) -> bool:
    """Return ``True``, because everybody sees the entry."""
    return True


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link beside every page, to the URL called ``route``, for users that it is shown to.

    The entries of all apps are sorted by ``group``, one of ``GROUPS``, and by ``place``. ``icon``
    is in the sprite. ``count`` is the dotted name of a callable that returns how much waits there
    for a user; 0 is not shown. Who sees an entry that ``lands`` is led there after signing in.
    ``covers`` are the routes of other addresses whose pages, too, are those of the entry.
    """

    label: str | Promise
    route: str
    place: int
    shown_to: Callable[[Any], bool] = is_signed_in
    group: str = "sell"
    icon: str = "circle"
    count: str = ""
    lands: bool = False
    covers: Sequence[str] = ()


class ShopAppConfig(AppConfig):
    """An app of the shop. It has nothing that it does not declare."""

    # Django uses the only default class of a module, and every app's module imports this one.
    default = False

    api_urls: ClassVar[str] = ""
    """The module of the URL patterns below ``/api/v1/``."""
    page_urls: ClassVar[str] = ""
    """The module of the URL patterns below ``/``."""
    websocket_urls: ClassVar[str] = ""
    """The module of the URL patterns of websockets, below ``/``."""
    classic_urls: ClassVar[str] = ""
    """The module of the original service's URL patterns, which also exist below a prefix."""
    cookieless: ClassVar[Sequence[str]] = ()
    """The beginnings of paths at which nobody is known: no cookie is read or set there."""
    demos: ClassVar[Sequence[str]] = ()
    """Commands that give a development database something to look at, and may run again."""
    append_only: ClassVar[Sequence[str]] = ()
    """Models whose rows the application may only add, and their migrations make ``AppendOnly``."""
    worker_adds: ClassVar[Sequence[str]] = ()
    """Those of them to whose tables the role of the workers adds rows, too."""
    maintained: ClassVar[Sequence[str]] = ()
    """Models whose tables the application may vacuum itself."""
    partitions: ClassVar[Sequence[str]] = ()
    """Sequences of ``shop.core.partitions.Retention``: how long rows of time series are kept."""
    health_checks: ClassVar[Mapping[str, str]] = {}
    """A dependency's name: a callable that raises, ``Unhealthy`` at best, where it is not well."""
    metrics: ClassVar[Sequence[str]] = ()
    """Callables without arguments that read Prometheus's metric families from the database."""
    site_metrics: ClassVar[Sequence[str]] = ()
    """The same of all processes together, for ``/metrics?scope=site``."""
    ledger_checks: ClassVar[Sequence[str]] = ()
    """Sequences of ``LedgerCheck``, for ``manage.py verify_ledger``."""
    navigation: ClassVar[Sequence[NavigationEntry]] = ()
    searches: ClassVar[Sequence[str]] = ()
    """Callables that find what a caller may see: ``(caller, text, limit) -> list[Hit]``."""
    customer_panels: ClassVar[Sequence[str]] = ()
    """Parts of a customer's page: callables ``(caller, customer) -> Panel | None``."""
    person_panels: ClassVar[Sequence[str]] = ()
    """Parts of the page of an account: callables ``(caller, account) -> Panel | None``."""
    request_page: ClassVar[str] = ""
    """What the site knows of a request: a callable ``(user, request_id) -> address or ""``."""
    purchase_panels: ClassVar[Sequence[str]] = ()
    """Parts of a purchase's page: callables ``(caller, purchase) -> Panel | None``."""
    attention: ClassVar[Sequence[str]] = ()
    """What waits for somebody: callables ``(caller) -> list[Attention]``."""
    beat: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Entries of Celery's beat schedule."""
    error_dialects: ClassVar[Sequence[str]] = ()
    """``Dialect``s of routes whose errors have a shape of their own."""
    document_kinds: ClassVar[Sequence[str]] = ()
    """Classes of ``documents.kinds.Kind``."""
    event_types: ClassVar[str] = ""
    """The module that declares the app's types of events."""
    relay_rights: ClassVar[Mapping[str, str]] = {}
    """What the relay's role may do with tables: ``{"events_outbox": "SELECT, DELETE"}``."""
    loops: ClassVar[Sequence[str]] = ()
    """Work that goes on in the relay's process; see ``shop.core.loops``."""
    process_loops: ClassVar[Sequence[str]] = ()
    """Work that goes on in every process, in its one thread for them; see ``shop.core.process``."""
    site_settings: ClassVar[Sequence[str]] = ()
    """Sequences of settings at run time; see ``shop.core.site_settings``."""
    site_setting_rules: ClassVar[Sequence[str]] = ()
    """Sequences of ``Rule``: what several settings must fulfil together."""
    works_read_only: ClassVar[Sequence[str]] = ()
    """Names of routes whose writes go on while the site is read-only."""
    followers: ClassVar[Sequence[str]] = ()
    """Followers of the event log."""
    following: ClassVar[Mapping[str, str]] = {}
    """Other work of the process of followers, by its name there: ``(stopping: Event) -> None``."""
    sealed: ClassVar[Sequence[str]] = ()
    """Sequences of ``shop.core.sealing.SealedColumn``, for the rotation of the keys."""
    personal_data: ClassVar[str] = ""
    """The sequence of ``shop.core.columns.Table``: what each column of the app's tables holds."""

    erased_with: ClassVar[Sequence[str]] = ()
    """What an account's erasure erases by its proved addresses: callables ``(addresses)``.

    They are called within its transaction.
    """
    exported_with: ClassVar[Sequence[str]] = ()
    """What an account's archive has by its proved addresses: callables ``(addresses)``.

    They return the name of a file, what it is, and its rows as objects of JSON.
    """
    after_restore: ClassVar[Sequence[str]] = ()
    """What has to be done after a restore, before anything serves: callables ``(journal) -> str``.

    ``journal`` are the entries of all journals. They return a sentence about what was done.
    """
    account_pages: ClassVar[Mapping[str, str | Promise]] = {}
    """More tabs of one's own account: the label by the name of the route."""
    erased_names: ClassVar[Sequence[str]] = ()
    """Callables that return the places of names, ``(userid, username)``, that nobody may take."""
    role_names: ClassVar[Sequence[str]] = ()
    """Callables that return the names of roles, by code, beside the built-in ones."""
    audit_actions: ClassVar[Sequence[str]] = ()
    """Mappings from an action of the audit to what happened, in words."""

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
    """Return the collectors of the apps' metrics, by dotted name."""
    return {name: import_string(name) for config in shop_apps() for name in config.metrics}


def ledger_checks() -> Iterator[Any]:
    """Yield every app's ``LedgerCheck``."""
    for config in shop_apps():
        for checks in config.ledger_checks:
            yield from import_string(checks)


def document_kinds() -> list[Any]:
    """Return one of each kind of document that the apps declare."""
    return [import_string(kind)() for config in shop_apps() for kind in config.document_kinds]


def sealed_columns() -> list[Any]:
    """Return every app's ``SealedColumn``."""
    return [one for config in shop_apps() for name in config.sealed for one in import_string(name)]


def _tables(kind: str) -> list[str]:
    return [
        config.get_model(model)._meta.db_table
        for config in shop_apps()
        for model in getattr(config, kind)
    ]


def relay_rights() -> list[tuple[str, str]]:
    """Return the tables and the rights of the relay's role."""
    return [right for config in shop_apps() for right in config.relay_rights.items()]


def append_only_tables() -> list[str]:
    """Return the tables whose rows the application may only add."""
    return _tables("append_only")


def worker_tables() -> list[str]:
    """Return the tables that only grow, and that the workers' role adds to."""
    return _tables("worker_adds")


def maintained_tables() -> list[str]:
    """Return the tables that the application may vacuum itself."""
    return _tables("maintained")


def navigation_for(user: Any) -> list[NavigationEntry]:
    """Return the navigation of the user."""
    groups = list(GROUPS)
    return sorted(
        (entry for config in shop_apps() for entry in config.navigation if entry.shown_to(user)),
        key=lambda entry: (groups.index(entry.group), entry.place),
    )


def account_pages() -> list[tuple[str, str | Promise]]:
    """Return the routes and labels of the tabs that apps add to one's own account."""
    return [page for config in shop_apps() for page in config.account_pages.items()]


def landing_for(user: Any) -> str:
    """Return the route that a user is led to after signing in, or an empty string."""
    return next((entry.route for entry in navigation_for(user) if entry.lands), "")


def declared(kind: str) -> list[Callable[..., Any]]:
    """Return the callables that the apps declare; ``kind`` is ``"searches"``, …."""
    return [import_string(name) for config in shop_apps() for name in getattr(config, kind)]


def demo_commands() -> list[str]:
    """Return the commands of the apps that make something to look at."""
    return [command for config in shop_apps() for command in config.demos]


@cache
def cookieless_paths() -> tuple[str, ...]:
    """Return the beginnings of paths at which no cookie is read or set."""
    return tuple(path for config in shop_apps() for path in config.cookieless)


@cache
def works_read_only() -> frozenset[str]:
    """Return the names of the routes whose writes go on while the site is read-only."""
    return frozenset(name for config in shop_apps() for name in config.works_read_only)


def sequences(kind: str) -> list[Sequence[Any]]:
    """Return the sequences that the apps declare; ``kind`` is ``"site_settings"``, …."""
    return [import_string(name) for config in shop_apps() for name in getattr(config, kind)]


def page_of_request(user: Any, request_id: str) -> str:
    """Return the address of what is known of a request, if the user may see it, or ``""``."""
    names = (config.request_page for config in shop_apps() if config.request_page)
    return next((url for name in names if (url := import_string(name)(user, request_id))), "")


def beat_schedule() -> dict[str, Mapping[str, Any]]:
    """Return Celery's beat schedule."""
    return {name: entry for config in shop_apps() for name, entry in config.beat.items()}


def error_dialects() -> list[Any]:
    """Return every app's ``Dialect``."""
    return [import_string(name) for config in shop_apps() for name in config.error_dialects]
