"""The actions that apps declare: ``audit_actions = ("accounts.audit.actions.ACTIONS",)``.

Each is a mapping from ``part.verb`` to what happened, in words for the person concerned. The words
are translated: ``{"key.created": _("An API key was made.")}``.
"""

from collections.abc import Mapping
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from shop.core.apps import shop_apps


@lru_cache(maxsize=1)
def declared_actions() -> Mapping[str, str | Promise]:
    """Return every action that an app declares, and its words."""
    return {
        action: words
        for config in shop_apps()
        for name in config.audit_actions
        for action, words in import_string(name).items()
    }
