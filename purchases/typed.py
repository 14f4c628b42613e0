"""What people type into the pages of purchases, put into the plain form of the API."""

from collections.abc import Mapping

from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.names import normalise
from shop.core.errors import FieldError, ValidationFailed
from shop.core.money import typed_amount
from shop.core.text import UNPRINTABLE
from shop.core.times import iso
from shop.core.typed_times import Edge, typed_moment

_EDGES = {"since": Edge.START, "until": Edge.END}
_DAY = len("2024-05-31")


def typed_purchase(given: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form in the API's form: digits, and a time with an offset.

    Raise ``ValidationFailed`` for what could mean two amounts or two times, and for a price in
    another currency than the purchase's.
    """
    data = {name: value for name, value in given.items() if value}
    errors: list[FieldError] = []
    if "price" in data:
        try:
            data["price"], meant = typed_amount(data["price"], data.get("currency", ""))
        except ValueError as error:
            errors.append(FieldError("typed", str(error), "price"))
        else:
            if meant and data.setdefault("currency", meant[0]).upper() not in meant:
                detail = _("The price is in %(price)s, and the currency is %(currency)s.") % {
                    "price": meant[0],
                    "currency": data["currency"],
                }
                errors.append(FieldError("typed", detail, "price"))
    if "timestamp" in data:
        try:
            data["timestamp"] = iso(typed_moment(data["timestamp"]))
        except ValueError as error:
            errors.append(FieldError("typed", str(error), "timestamp"))
    if errors:
        raise ValidationFailed(errors)
    return data


def typed_filters(query: QueryDict) -> tuple[QueryDict, dict[str, str]]:
    """Return the filters of a list in the form of the API, which also the exports take.

    The second part says what is not understood, by the name of the filter. Days and times are those
    of the reader's time zone. ``username`` may be a userid.
    """
    plain = query.copy()
    errors: dict[str, str] = {}
    for name in list(plain):
        if not plain[name]:
            del plain[name]
    for name in ("min_price", "max_price"):
        if name in plain:
            try:
                plain[name], meant = typed_amount(str(plain[name]))
                if meant:
                    errors[name] = _("It is compared in every currency: write %(price)s alone.") % {
                        "price": plain[name]
                    }
            except ValueError as error:
                errors[name] = str(error)
    for name, edge in _EDGES.items():
        if name in plain:
            try:
                plain[name] = iso(typed_moment(_with_plus(str(plain[name])), edge))
            except ValueError as error:
                errors[name] = str(error)
    if "username" in plain:
        plain["username"] = _username(str(plain["username"]))
    return plain, errors


def _with_plus(text: str) -> str:
    """Return a time whose plus sign, which a link did not escape, has arrived as a space."""
    return text.replace(" ", "+", 1) if text[_DAY : _DAY + 1] in ("T", "t") else text


def _username(text: str) -> str:
    """Return the username of the customer with this username, or else with this userid."""
    if UNPRINTABLE.search(text) or User.objects.named(text).exists():
        return text
    found = User.objects.filter(userid=normalise(text.strip()))
    return found.values_list("username", flat=True).first() or text
