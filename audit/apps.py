"""The declarations of the audit."""

from shop.core.apps import ShopAppConfig


class AuditConfig(ShopAppConfig):
    """What was changed by whom, in a chain that shows whether it is whole.

    Routes and pages are in ``accounts.audit``, because they ask for rights.
    """

    name = "audit"
    verbose_name = "Audit"
    append_only = ("Entry", "Checkpoint")
    sealed = ("audit.models.SEALED",)
