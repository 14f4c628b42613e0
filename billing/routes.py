"""The paths of billing that layers below Django prepare."""

WEBHOOKS = "/api/v1/billing/webhooks/"
"""The address of a payment provider's messages, before its name."""
WEBHOOK_MAX_BYTES = 512 * 1024
