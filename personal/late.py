"""What a request in flight writes about an account that was erased meanwhile.

The request had read the account before. Its row waits for the erasure, because the erasure locks
the account that the row refers to. So after the write it is certain whether the account is erased.
"""

import re
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import User
from personal.errors import AlreadyErased
from personal.models import Erasure
from shop.core.columns import tables

_ABOUT = re.compile(r"t\.(\w+) = %\(account\)s")
_NOT_PERSONAL = {"last_login", "session_salt"}


@cache
def _owners() -> dict[type[Model], list[str]]:
    """Return the models whose rows an erasure deletes, and their columns of an account."""
    columns = {
        table.name: [
            column for rows in table.rows if rows.deletes for column in _ABOUT.findall(rows.about)
        ]
        for table in tables()
    }
    return {model: columns.get(model._meta.db_table, []) for model in apps.get_models()}


@receiver(post_save)
def row_saved(
    sender: type[Model], instance: Any, created: bool, update_fields: Any = None, **kwargs: Any
) -> None:
    """Take back what is about somebody who is erased. Raise ``AlreadyErased``."""
    if sender is User:
        # `User.save` is a transaction, which this ends.
        if not created and not _NOT_PERSONAL.issuperset(update_fields or ["all"]):
            _check([instance.pk])
    elif created and (columns := _owners().get(sender)):
        try:
            _check([getattr(instance, column) for column in columns])
        except AlreadyErased:
            sender._base_manager.filter(pk=instance.pk).delete()
            raise


def _check(accounts: list[int]) -> None:
    if Erasure.objects.filter(account_id__in=accounts).exclude(erased_at=None).exists():
        raise AlreadyErased()
