"""Settings at run time: what people change on a page, in force in every process without a restart.

An app declares them in its own folder, and names them in its configuration::

    SOCKETS = Integer("quota_sockets", 50, section="quotas", label=_("Open sockets"), maximum=10**6)
    SETTINGS = (SOCKETS,)

    class EventsConfig(ShopAppConfig):
        site_settings = ("events.site_settings.SETTINGS",)

and reads ``SOCKETS.value``, which is a look-up in a dictionary: no query, no waiting. From these
declarations come the page, the API, the table of ``docs/settings.md`` and ``.env.example``.

The environment wins over the database, and the database over the default. The app ``preferences``
keeps the changes, and brings them into every process.
"""

from shop.core.site_settings.kinds import (
    SECTIONS,
    Boolean,
    Choice,
    Integer,
    Rule,
    Setting,
    Text,
    Unfit,
)
from shop.core.site_settings.snapshot import (
    Snapshot,
    current,
    effective,
    fixed,
    install,
    load_declarations,
    registry,
    rules,
    version,
    when_changed,
)

__all__ = [
    "SECTIONS",
    "Boolean",
    "Choice",
    "Integer",
    "Rule",
    "Setting",
    "Snapshot",
    "Text",
    "Unfit",
    "current",
    "effective",
    "fixed",
    "install",
    "load_declarations",
    "registry",
    "rules",
    "version",
    "when_changed",
]
