"""What the ledger records in the audit. Purchases have no entries, because they never change."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from audit.services import record

ACTIONS = {
    "purchases.exported": _("Everybody's purchases were exported."),
    "customers.exported": _("The list of customers was exported."),
}
_NAMING = {"username", "userid", "user", "q", "search"}


def export_record(
    caller: Caller,
    content_type: str,
    filters: Mapping[str, Any],
    *,
    action: str = "purchases.exported",
) -> None:
    """Record that a caller exports everybody's purchases, or the customers, before they leave."""
    # Details are deleted with the account that exported, not with the customer that they name.
    told = {name: filters[name] for name in filters if name not in _NAMING}
    with transaction.atomic():
        record(
            action,
            object=f"export:{action.partition('.')[0]}",
            actor_id=caller.id,
            after={"format": content_type.partition(";")[0]},
            personal={"filters": told} if told else None,
        )
