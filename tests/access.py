"""Rows of the access table, which each app has in its ``tests/access.py``.

A row has the status of a route and method for each of ``ACTORS``, and ``default`` for all others. A
page answers 302 to redirect to the sign-in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from accounts.permissions import ROLES

ROLE_ACTORS = tuple(role for role in ROLES if role != "customer")
ACTORS = ("anonymous", "owner", "other", *ROLE_ACTORS, "revoked", "deactivated")
"""``owner`` and ``other`` are customers, and there is one account of each other role.

``revoked`` and ``deactivated`` are the owner with a credential that was good until then.
"""
SIGNED_OUT = ("anonymous", "revoked", "deactivated")
SECRET = "a present that nobody else may know of"
PASSWORD = "orchid-lamp-42"
"""The owner's password."""

Row = dict[str, int]
Rows = dict[str, dict[str, Row]]
Body = Mapping[str, Any] | list[Any] | Callable[[str], Any]


@dataclass(frozen=True)
class Access:
    """The access to the routes of one app.

    ``sockets`` have the first message, ``hello``, or the close code. ``bodies`` have the body of a
    POST, or a function that makes it for an actor: JSON for the API, the fields of a form for a
    page. The body of another method has a key such as ``PATCH api/v1/roles/<str:code>/``.
    """

    api: Rows = field(default_factory=dict)
    pages: Rows = field(default_factory=dict)
    sockets: dict[str, dict[str, str]] = field(default_factory=dict)
    bodies: Mapping[str, Body] = field(default_factory=dict)
    objects: Callable[[User], Mapping[str, Any]] = lambda owner: {}
    """Make objects of the owner. Return their ids by the prefix of their routes."""


def api(default: int = 200, **others: int) -> Row:
    """Return a row of the API, which answers 401 without a sign-in."""
    return {**dict.fromkeys(SIGNED_OUT, 401), "default": default, **others}


def page(default: int = 200, **others: int) -> Row:
    """Return a row of a page, which redirects to the sign-in without one."""
    return {**dict.fromkeys(SIGNED_OUT, 302), "default": default, **others}


def admin(status: int = 200) -> Row:
    """Return a row of the admin, which redirects everybody but admins."""
    return {"default": 302, "admin": status}


OPEN = {"default": 200}
NO_METHOD = api(405)
OPEN_NO_METHOD = {"default": 405}
PUBLIC = {"GET": OPEN, "POST": OPEN}
READ_ONLY = {"GET": OPEN, "POST": OPEN_NO_METHOD}
ELSEWHERE = {"default": 302}
# The roles that read everybody's purchases and reports.
READERS = ("support", "finance", "analyst", "auditor", "admin")
READ = dict.fromkeys(READERS, 200)

ADMIN_READ_ONLY: Rows = {
    "": {"GET": admin(), "POST": admin()},
    "add/": {"GET": admin(403), "POST": admin(403)},
    "<path:object_id>/history/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/delete/": {"GET": admin(403), "POST": admin(403)},
    "<path:object_id>/change/": {"GET": admin(), "POST": admin(403)},
    "<path:object_id>/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
}
ADMIN_MODEL: Rows = {
    "": {"GET": admin(), "POST": admin()},
    "add/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/history/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/delete/": {"GET": admin(), "POST": ELSEWHERE},
    "<path:object_id>/change/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
}


def in_admin(model: str, rows: Rows) -> Rows:
    """Return the rows of a model's pages in the admin; ``model`` is ``app_label/model``."""
    return {f"admin/{model}/{suffix}": methods for suffix, methods in rows.items()}
