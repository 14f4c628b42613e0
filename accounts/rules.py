"""What each route asks of whoever comes; the route's view declares it, by method::

    class InvoiceListView(APIView):
        required = {"GET": needs(Permission.BILLING_READ)}

    @requires(GET=needs(Permission.BILLING_READ))
    def invoice_list(request): ...

A view of REST framework that declares nothing is closed to everybody, and ``tests/test_access.py``
fails for every route without a declaration.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, cast

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_noop
from knox.models import AuthToken
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.access import check
from accounts.permissions import Permission, allows
from accounts.ways import way_back
from shop.core.errors import Forbidden, error_response


class CredentialKind(enum.Flag):
    """The kinds of credentials."""

    SESSION = enum.auto()
    TOKEN = enum.auto()


EITHER = CredentialKind.SESSION | CredentialKind.TOKEN
NOBODY = CredentialKind(0)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one method of a route needs: a permission, if any, and a credential of some kind.

    Any permission of ``or_else`` is as good. Without kinds of credentials the route is open to
    everybody. ``detail`` is the message to callers without the permission.
    """

    permission: Permission | None = None
    credentials: CredentialKind = EITHER
    detail: str | None = None
    or_else: tuple[Permission, ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether no sign-in is needed."""
        return not self.credentials

    def check(self, user: Any, kind: CredentialKind) -> None:
        """Raise ``Forbidden`` if a signed-in user lacks the permission."""
        if kind not in self.credentials:
            raise Forbidden(
                gettext_noop("This needs another kind of sign-in."), code="credential_kind"
            )
        if self.permission is None or any(allows(user.permissions, p) for p in self.or_else):
            return
        check(user.permissions, self.permission, self.detail)


Required = Mapping[str, Rule]

OPEN = Rule(credentials=NOBODY)
SIGNED_IN = Rule()
ON_PAGES = Rule(credentials=CredentialKind.SESSION)
ADMIN = Rule(Permission.ACCOUNTS_ADMIN, CredentialKind.SESSION)
"""The admin's pages. All staff have this permission, and the admin asks for more."""


def needs(
    permission: Permission,
    *or_else: Permission,
    credentials: CredentialKind = EITHER,
    detail: str | None = None,
) -> Rule:
    """Return the rule that asks for this permission, or for one of the others."""
    return Rule(permission, credentials, detail, or_else)


class MeetsRule(BasePermission):
    """A rule as a permission of REST framework; ``required`` of the view has one a method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the caller is signed in as required. Raise ``Forbidden`` if not
        allowed.
        """
        required: Required = getattr(view, "required", {})
        method = "GET" if request.method == "HEAD" else str(request.method)
        rule = required.get(method)
        if rule is None:
            if hasattr(view, method.lower()) and method != "OPTIONS":
                raise Forbidden()
            # Unknown methods are refused after the sign-in, like known ones.
            is_open = all(each.is_open for each in required.values())
            rule = OPEN if required and is_open else SIGNED_IN
        if rule.is_open:
            return True
        user = request.user
        if not (user and user.is_authenticated):
            return False
        is_token = isinstance(request.auth, AuthToken)
        rule.check(user, CredentialKind.TOKEN if is_token else CredentialKind.SESSION)
        return True


Page = Callable[..., HttpResponseBase]


def requires(**required: Rule) -> Callable[[Page], Page]:
    """Let a page ask for what its methods need, and for a session, unless they are open.

    Who is not signed in is sent to the sign-in.
    """
    rules = {
        method: rule if rule.is_open else replace(rule, credentials=CredentialKind.SESSION)
        for method, rule in required.items()
    }

    def decorate(view: Page) -> Page:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            method = "GET" if request.method == "HEAD" else str(request.method)
            rule = rules.get(method, ON_PAGES)
            if not rule.is_open:
                if not request.user.is_authenticated:
                    return redirect_to_login(way_back(request, has_page="GET" in rules))
                try:
                    rule.check(request.user, CredentialKind.SESSION)
                except Forbidden as error:
                    return error_response(request, error)
            return view(request, *args, **kwargs)

        guarded.required = rules  # type: ignore[attr-defined]
        return guarded

    return decorate


def declare(patterns: Iterable[Any], rule: Rule) -> list[Any]:
    """Return patterns with a rule, for views that are not ours and check it themselves."""
    declared = list(patterns)
    for pattern in declared:
        pattern.callback.required = {"GET": rule, "POST": rule}
    return declared


def required_by(view: Any) -> Required | None:
    """Return what a view declares, or ``None``."""
    inner = view
    while inner is not None:
        # The admin's wrappers have the page in one of these, or the object of its method.
        owners = [getattr(inner, name, None) for name in ("admin_site", "model_admin", "__self__")]
        if any(isinstance(owner, AdminSite | ModelAdmin) for owner in owners):
            return {"GET": ADMIN, "POST": ADMIN}
        inner = getattr(inner, "__wrapped__", None)
    if hasattr(view, "required"):
        return cast(Required, view.required)
    return getattr(getattr(view, "cls", None), "required", None)
