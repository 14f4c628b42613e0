"""System checks of what apps declare, so that a mistake is found before it is used."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from shop.core.apps import GROUPS, ShopAppConfig, shop_apps

MODULES = ("api_urls", "page_urls", "websocket_urls", "classic_urls", "event_types")
OBJECTS = (
    *("metrics", "ledger_checks", "error_dialects", "document_kinds", "followers"),
    *("searches", "customer_panels", "person_panels", "purchase_panels", "attention", "sealed"),
    *("audit_actions", "loops", "erased_names", "role_names"),
    *("partitions", "process_loops"),
)
MODELS = ("append_only", "worker_adds", "maintained")
_KNOWN = {*dir(ShopAppConfig), "name", "label", "verbose_name", "path", "default_auto_field"}


@register
def declarations(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """shop.E003 and E004: a declaration names what is not there, or what another app has."""
    configs = shop_apps()
    faults = ((config, fault) for config in configs for fault in _faults(config))
    return [
        *(Error(fault, obj=config, id="shop.E003") for config, fault in faults),
        *(Error(fault, id="shop.E004") for fault in _shared(configs)),
    ]


def _faults(config: ShopAppConfig) -> Iterator[str]:
    for name, value in vars(type(config)).items():
        if name not in _KNOWN and not name.startswith("_") and not callable(value):
            yield f"There is nothing called {name} to declare."
    for kind in MODULES:
        if module := getattr(config, kind):
            yield from _problem(f"{kind} names {module}", import_module, module)
    for kind in OBJECTS:
        for path in getattr(config, kind):
            yield from _problem(f"{kind} names {path}", import_string, path)
    if config.request_page:
        yield from _problem("request_page", import_string, config.request_page)
    if config.personal_data:
        yield from _problem("personal_data", import_string, config.personal_data)
    for path in config.health_checks.values():
        yield from _problem(f"health_checks names {path}", import_string, path)
    for kind in MODELS:
        for model in getattr(config, kind):
            yield from _problem(f"{kind} names {model}", config.get_model, model)
    for route in config.account_pages:
        yield from _problem(f"account_pages names {route}", reverse, route)
    for entry in config.navigation:
        yield from _problem(f"navigation names {entry.route}", reverse, entry.route)
        if entry.group not in GROUPS:
            yield f"navigation names {entry.group}: There is no such group."
        if entry.count:
            yield from _problem(f"navigation names {entry.count}", import_string, entry.count)


def _problem(what: str, find: Any, name: str) -> Iterator[str]:
    try:
        find(name)
    except (ImportError, LookupError, NoReverseMatch) as error:
        yield f"{what}: {error}"


def _shared(configs: list[ShopAppConfig]) -> Iterator[str]:
    for kind in ("health_checks", "beat"):
        names = Counter(name for config in configs for name in getattr(config, kind))
        for name, count in names.items():
            if count > 1:
                yield f"{count} apps declare {name} in their {kind}."
