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

from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_noop
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.access import check
from accounts.models import Token, TokenKind
from accounts.permissions import Permission, allows
from accounts.sessions.recent import ReauthenticationRequired, confirm_first, is_recent
from accounts.ways import way_back
from shop.core.errors import Forbidden, error_response


class CredentialKind(enum.Flag):
    """The kinds of credentials."""

    SESSION = enum.auto()
    TOKEN = enum.auto()
    KEY = enum.auto()
    JWT = enum.auto()

    @classmethod
    def of(cls, credential: Any) -> "CredentialKind":
        """Return the kind of ``request.auth``: a ``Token``, or something else for a session."""
        return _KINDS[TokenKind(credential.kind)] if isinstance(credential, Token) else cls.SESSION


_KINDS = {
    TokenKind.SIGN_IN: CredentialKind.TOKEN,
    TokenKind.KEY: CredentialKind.KEY,
    TokenKind.JWT: CredentialKind.JWT,
}
PROGRAM = CredentialKind.TOKEN | CredentialKind.KEY | CredentialKind.JWT
"""The credentials of programs, which open no page."""
EITHER = CredentialKind.SESSION | PROGRAM
NOBODY = CredentialKind(0)


class SecondFactorMissing(Forbidden):
    """The account may do this once it has a second factor."""

    code = "second_factor_required"
    detail = gettext_noop("This needs a second factor. Set one up on the pages of your account.")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one method of a route needs: a permission, if any, and a credential of some kind.

    Any permission of ``or_else`` is as good. Without kinds of credentials the route is open to
    everybody. ``detail`` is the message to callers without the permission. With ``recent`` it needs
    a browser session whose sign-in or confirmation is younger than 5 minutes.
    """

    permission: Permission | None = None
    credentials: CredentialKind = EITHER
    detail: str | None = None
    or_else: tuple[Permission, ...] = ()
    recent: bool = False

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
        lacks = not allows(user.permissions, self.permission)
        if lacks and allows(user.waiting_permissions, self.permission):
            raise SecondFactorMissing(accepted=self.permission.code)
        check(user.permissions, self.permission, self.detail)

    def check_recent(self, request: HttpRequest, kind: CredentialKind) -> None:
        """Raise ``ReauthenticationRequired`` if the rule asks for a more recent sign-in."""
        if self.recent and not (kind is CredentialKind.SESSION and is_recent(request)):
            raise ReauthenticationRequired()


Required = Mapping[str, Rule]

OPEN = Rule(credentials=NOBODY)
SIGNED_IN = Rule()
RECENT = Rule(recent=True)
ON_PAGES = Rule(credentials=CredentialKind.SESSION)
ON_PAGES_RECENT = Rule(credentials=CredentialKind.SESSION, recent=True)
ADMIN = Rule(Permission.ACCOUNTS_ADMIN, CredentialKind.SESSION)
"""The admin's pages. All staff have this permission, and the admin asks for more."""


def needs(
    permission: Permission,
    *or_else: Permission,
    credentials: CredentialKind = EITHER,
    detail: str | None = None,
    recent: bool = False,
) -> Rule:
    """Return the rule that asks for this permission, or for one of the others."""
    return Rule(permission, credentials, detail, or_else, recent)


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
        kind = CredentialKind.of(request.auth)
        rule.check(user, kind)
        rule.check_recent(request._request, kind)
        return True


Page = Callable[..., HttpResponseBase]


def requires(**required: Rule) -> Callable[[Page], Page]:
    """Let a page ask for what its methods need, and for a session, unless they are open.

    Who is not signed in is sent to the sign-in. Who has not proved lately who they are is sent to
    the page that asks for it. Both lead back, with what was typed.
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
                    rule.check_recent(request, CredentialKind.SESSION)
                except ReauthenticationRequired:
                    return confirm_first(request, has_page="GET" in rules)
                except SecondFactorMissing as error:
                    messages.warning(request, gettext(str(error)))
                    return redirect("mfa_index")
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
