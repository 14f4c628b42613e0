"""What happens to webhooks, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "webhook.created": _("A webhook was made."),
    "webhook.changed": _("A webhook was changed."),
    "webhook.deleted": _("A webhook was deleted."),
    "webhook.disabled": _("A webhook was disabled, because it could not deliver."),
    "webhook.replayed": _("Old events were to be sent to a webhook again."),
    "webhook.rotated": _("A webhook got a new secret."),
}
