"""Forms: what was typed, put into the plain form of the API, and done once."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User
from people.idempotency import keep_once, route_of
from shop.core.errors import ApplicationError, FieldError, ValidationFailed
from shop.core.idempotency import parse_idempotency_key
from shop.core.money import typed_amount
from shop.core.typed_times import typed_day

Errors = dict[str, str]
"""What is wrong with a form, by the name of the field; an empty name is the form's own."""


def wrong(name: str, detail: str, code: str = "invalid") -> ValidationFailed:
    """Return the error of one field."""
    return ValidationFailed([FieldError(code, detail, name)])


def amount_in(form: Mapping[str, str], name: str, currency: str) -> str:
    """Return the amount that was typed, in plain digits. Raise ``ValidationFailed``."""
    text = form.get(name, "").strip()
    if not text:
        raise wrong(name, _("Give an amount."), "required")
    try:
        plain, meant = typed_amount(text, currency)
    except ValueError as error:
        raise wrong(name, str(error)) from None
    if meant and currency not in meant:
        detail = _("This amount must be in %(currency)s.") % {"currency": currency}
        raise wrong(name, detail)
    return plain


def day_in(form: Mapping[str, str], name: str) -> str:
    """Return the day that was typed, as ``2024-05-31``, or ``""``. Raise ``ValidationFailed``."""
    text = form.get(name, "").strip()
    if not text:
        return ""
    try:
        return typed_day(text).isoformat()
    except ValueError as error:
        raise wrong(name, str(error)) from None


def checked(serializer: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a serializer of the API makes of the data. Raise ``ValidationFailed``.

    What else a form has is for the page.
    """
    fields = serializer().fields
    read = serializer(data={name: value for name, value in data.items() if name in fields})
    if not read.is_valid():
        raise ValidationFailed(
            [
                FieldError("invalid", text, "" if name == "non_field_errors" else place)
                for name, problem in read.errors.items()
                for place, text in _told(name, problem)
            ]
        )
    return {**read.validated_data}


def _told(name: str, problem: Any) -> list[tuple[str, str]]:
    """Return the first sentence about a field, or about each of its numbered parts."""
    parts = problem.items() if isinstance(problem, Mapping) else enumerate(problem)
    found = []
    for key, each in parts:
        if isinstance(each, Mapping | list):
            for _place, text in _told("", each)[:1]:
                found.append((f"{name}_{int(key) + 1}" if str(key).isdigit() else name, text))
        elif each:
            return [(name, str(each))]
    return found


def submitted(request: HttpRequest, work: Callable[[], str]) -> tuple[str, Errors, int]:
    """Do what a form asks for, which a repeat with the form's key does not do again.

    Return the address to go on at; or an empty one, what is wrong, and the status to answer with.
    """
    try:
        key = parse_idempotency_key(request.POST.get("idempotency_key"))
        if key is None:
            with transaction.atomic():
                return work(), {}, 302
        data = {
            name: values
            for name, values in request.POST.lists()
            if name not in ("csrfmiddlewaretoken", "idempotency_key")
        }
        _status, body, _replayed = keep_once(
            account=cast(User, request.user),
            route=route_of(request),
            key=key,
            data=data,
            work=lambda: (302, {"url": work()}),
        )
    except ApplicationError as error:
        return "", errors_of(error), error.status
    return str(body["url"]), {}, 302


def errors_of(error: ApplicationError) -> Errors:
    """Return what an error says, in the language of the page."""
    return {each.attr or "": _(each.detail) for each in error.errors}
