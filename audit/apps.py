"""The declarations of the audit."""

from shop.core.apps import ShopAppConfig


class AuditConfig(ShopAppConfig):
    """What was changed by whom, in a chain that shows whether it is whole.

    Routes and pages are in ``accounts.audit``, because they ask for rights.
    """

    name = "audit"
    personal_data = "audit.columns.TABLES"
    verbose_name = "Audit"
    append_only = ("Entry", "Checkpoint")
    relay_rights = {
        "audit_waiting": "SELECT, DELETE",
        "audit_entry": "SELECT, INSERT",
        "audit_checkpoint": "SELECT, INSERT",
    }
    loops = ("audit.sealing.seal_next",)
    health_checks = {"audit": "audit.health.check_sealing"}
    metrics = ("audit.health.collect_chain",)
    ledger_checks = ("audit.ledger_checks.CHECKS",)
    sealed = ("audit.models.SEALED",)
