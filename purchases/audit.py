"""What the ledger records in the audit. Purchases have no entries, because they never change."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from audit.services import record

ACTIONS = {"purchases.exported": _("Everybody's purchases were exported.")}


def export_record(caller: Caller, content_type: str, filters: Mapping[str, Any]) -> None:
    """Record that a caller who sees everybody's purchases exports them, before they leave."""
    with transaction.atomic():
        record(
            "purchases.exported",
            object="export:purchases",
            actor_id=caller.id,
            after={"format": content_type.partition(";")[0]},
            personal={"filters": filters} if filters else None,
        )
