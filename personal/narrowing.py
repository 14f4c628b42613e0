"""The replay of what was narrowed: after it a row lets nobody do more than it did at last.

Nothing is widened, because what was given since the backup can be given again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils.crypto import get_random_string

from accounts.factors.codes import SECOND_FACTORS
from accounts.models import WITH_RIGHTS, User
from people.folding import fold
from people.guard import lock_people
from personal.journal import CHANGED, REMOVED
from personal.narrowed import KINDS, made_at, password_digest

_PASSWORD_LENGTH = 64
Row = tuple[str, str, str]


def narrow(entries: Iterable[Mapping[str, Any]]) -> int:
    """Narrow what the entries tell of, of each row the newest. Return how many rows it changed."""
    newest: dict[tuple[str, Row], Mapping[str, Any]] = {}
    for entry in entries:
        if entry.get("kind") in (CHANGED, REMOVED) and entry["what"] in KINDS:
            place = (entry["kind"], (entry["what"], entry["id"], entry["made"]))
            if str(entry["at"]) >= str(newest.get(place, entry)["at"]):
                newest[place] = entry
    done = 0
    with transaction.atomic():
        lock_people()
        people = list(User.objects.filter(WITH_RIGHTS).values_list("pk", flat=True))
        for (event, row), entry in newest.items():
            found = _find(*row)
            if found is None:
                continue
            if event == REMOVED:
                _remove(found)
                done += 1
            else:
                done += _change(found, entry["fields"])
        fold(people)
    return done


def _find(what: str, id: str, made: str) -> Any:
    found = KINDS[what].model._default_manager.filter(pk=id).first()
    return found if found is not None and made_at(found) == made else None


def _remove(row: Any) -> None:
    row.delete()
    if isinstance(row, Authenticator):
        user = row.user
        user.second_factor = Authenticator.objects.filter(
            user=user, type__in=SECOND_FACTORS
        ).exists()
        user.save(update_fields=["second_factor"])
        # There may have been another since. The password alone is not what the account had.
        if not user.second_factor and user.has_usable_password():
            _forget_password(user)
    elif isinstance(row, EmailAddress) and row.user.email == row.email:
        left = EmailAddress.objects.filter(user=row.user).order_by("-primary", "-verified", "pk")
        row.user.email = left.values_list("email", flat=True).first() or ""
        row.user.save(update_fields=["email"])


def _change(row: Any, fields: Mapping[str, Any]) -> bool:
    changed = []
    for name in KINDS[row._meta.label_lower].fields:
        present, last = getattr(row, name), fields[name]
        if name == "password":
            if last != password_digest(present) and row.has_usable_password():
                _forget_password(row, usable=bool(last))
                changed.append(name)
        elif (both := _meet(name, present, last)) != present:
            setattr(row, name, both)
            changed.append(name)
    if others := [name for name in changed if name != "password"]:
        row.save(update_fields=others)
    return bool(changed)


def _meet(name: str, present: Any, last: Any) -> Any:
    """Return what both allow."""
    if isinstance(present, int):
        return present & last
    if name == "networks":
        # No networks mean everywhere.
        return present if last is None else last
    return [one for one in present if one in last]


def _forget_password(user: User, *, usable: bool = True) -> None:
    """Give the account a password that nobody knows, so that it can be reset by mail."""
    if usable:
        user.set_password(get_random_string(_PASSWORD_LENGTH))
        user.save(update_fields=["password"])
    else:
        user.set_unusable_password()
        user.save(update_fields=["password"])
