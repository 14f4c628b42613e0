"""What the admin calls models and fields, in the reader's language.

Their ``verbose_name`` is the English name in the code. To mark one there would make a migration.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, override, pgettext_lazy

NAMES: dict[str, str | Promise] = {
    "amount": pgettext_lazy("admin", "amount"),
    "at": pgettext_lazy("admin", "at"),
    "attempts": pgettext_lazy("admin", "attempts"),
    "authenticator": pgettext_lazy("admin", "authenticator"),
    "authenticators": pgettext_lazy("admin", "authenticators"),
    "balance": pgettext_lazy("admin", "balance"),
    "balances": pgettext_lazy("admin", "balances"),
    "by provider": pgettext_lazy("admin", "by provider"),
    "chargeback": pgettext_lazy("admin", "chargeback"),
    "chargebacks": pgettext_lazy("admin", "chargebacks"),
    "charged back": pgettext_lazy("admin", "charged back"),
    "claim": pgettext_lazy("admin", "claim"),
    "claimed at": pgettext_lazy("admin", "claimed at"),
    "code": pgettext_lazy("admin", "code"),
    "corrects": pgettext_lazy("admin", "corrects"),
    "coupon": pgettext_lazy("admin", "coupon"),
    "coupons": pgettext_lazy("admin", "coupons"),
    "created at": pgettext_lazy("admin", "created at"),
    "created by": pgettext_lazy("admin", "created by"),
    "credited": pgettext_lazy("admin", "credited"),
    "currency": pgettext_lazy("admin", "currency"),
    "customer": pgettext_lazy("admin", "customer"),
    "dedupe key": pgettext_lazy("admin", "dedupe key"),
    "document": pgettext_lazy("admin", "document"),
    "documents": pgettext_lazy("admin", "documents"),
    "due on": pgettext_lazy("admin", "due on"),
    "E-mail addresses": pgettext_lazy("admin", "E-mail addresses"),
    "email": pgettext_lazy("admin", "email"),
    "emailed at": pgettext_lazy("admin", "emailed at"),
    "ends at": pgettext_lazy("admin", "ends at"),
    "entries": pgettext_lazy("admin", "entries"),
    "entry": pgettext_lazy("admin", "entry"),
    "error": pgettext_lazy("admin", "error"),
    "event": pgettext_lazy("admin", "event"),
    "events": pgettext_lazy("admin", "events"),
    "expiry": pgettext_lazy("admin", "expiry"),
    "exponent": pgettext_lazy("admin", "exponent"),
    "external id": pgettext_lazy("admin", "external id"),
    "failure": pgettext_lazy("admin", "failure"),
    "file": pgettext_lazy("admin", "file"),
    "fingerprint": pgettext_lazy("admin", "fingerprint"),
    "finished at": pgettext_lazy("admin", "finished at"),
    "id": pgettext_lazy("admin", "id"),
    "idempotency key": pgettext_lazy("admin", "idempotency key"),
    "issued at": pgettext_lazy("admin", "issued at"),
    "issued by": pgettext_lazy("admin", "issued by"),
    "issued on": pgettext_lazy("admin", "issued on"),
    "item": pgettext_lazy("admin", "item"),
    "items": pgettext_lazy("admin", "items"),
    "kind": pgettext_lazy("admin", "kind"),
    "label": pgettext_lazy("admin", "label"),
    "last used at": pgettext_lazy("admin", "last used at"),
    "mail attempts": pgettext_lazy("admin", "mail attempts"),
    "max per customer": pgettext_lazy("admin", "max per customer"),
    "max redemptions": pgettext_lazy("admin", "max redemptions"),
    "minimum": pgettext_lazy("admin", "minimum"),
    "net": pgettext_lazy("admin", "net"),
    "next attempt at": pgettext_lazy("admin", "next attempt at"),
    "number": pgettext_lazy("admin", "number"),
    "opened on": pgettext_lazy("admin", "opened on"),
    "outgoing mail": pgettext_lazy("admin", "outgoing mail"),
    "outgoing mails": pgettext_lazy("admin", "outgoing mails"),
    "pages": pgettext_lazy("admin", "pages"),
    "paid": pgettext_lazy("admin", "paid"),
    "paid on": pgettext_lazy("admin", "paid on"),
    "parameters": pgettext_lazy("admin", "parameters"),
    "payload": pgettext_lazy("admin", "payload"),
    "payment": pgettext_lazy("admin", "payment"),
    "payments": pgettext_lazy("admin", "payments"),
    "percent": pgettext_lazy("admin", "percent"),
    "position": pgettext_lazy("admin", "position"),
    "price": pgettext_lazy("admin", "price"),
    "prices include tax": pgettext_lazy("admin", "prices include tax"),
    "purchase": pgettext_lazy("admin", "purchase"),
    "purchases": pgettext_lazy("admin", "purchases"),
    "purpose": pgettext_lazy("admin", "purpose"),
    "quantity": pgettext_lazy("admin", "quantity"),
    "reason": pgettext_lazy("admin", "reason"),
    "received": pgettext_lazy("admin", "received"),
    "received at": pgettext_lazy("admin", "received at"),
    "recipient": pgettext_lazy("admin", "recipient"),
    "recorded by": pgettext_lazy("admin", "recorded by"),
    "recorder id": pgettext_lazy("admin", "recorder id"),
    "redeemed": pgettext_lazy("admin", "redeemed"),
    "reference": pgettext_lazy("admin", "reference"),
    "refund": pgettext_lazy("admin", "refund"),
    "refunded": pgettext_lazy("admin", "refunded"),
    "refunds": pgettext_lazy("admin", "refunds"),
    "removed at": pgettext_lazy("admin", "removed at"),
    "rendered at": pgettext_lazy("admin", "rendered at"),
    "report": pgettext_lazy("admin", "report"),
    "reports": pgettext_lazy("admin", "reports"),
    "requested by": pgettext_lazy("admin", "requested by"),
    "roles": pgettext_lazy("admin", "roles"),
    "sent at": pgettext_lazy("admin", "sent at"),
    "series": pgettext_lazy("admin", "series"),
    "session id": pgettext_lazy("admin", "session id"),
    "settled at": pgettext_lazy("admin", "settled at"),
    "sha256": pgettext_lazy("admin", "sha256"),
    "since": pgettext_lazy("admin", "since"),
    "size": pgettext_lazy("admin", "size"),
    "source": pgettext_lazy("admin", "source"),
    "starts at": pgettext_lazy("admin", "starts at"),
    "status": pgettext_lazy("admin", "status"),
    "subject": pgettext_lazy("admin", "subject"),
    "tax": pgettext_lazy("admin", "tax"),
    "team roles": pgettext_lazy("admin", "team roles"),
    "timestamp": pgettext_lazy("admin", "timestamp"),
    "token": pgettext_lazy("admin", "token"),
    "tokens": pgettext_lazy("admin", "tokens"),
    "total": pgettext_lazy("admin", "total"),
    "type": pgettext_lazy("admin", "type"),
    "until": pgettext_lazy("admin", "until"),
    "userid": pgettext_lazy("admin", "userid"),
}
"""The names that Django and the pages of the shop have no translation of."""


def translate_names(models: Iterable[Any]) -> None:
    """Give the models, their fields and their apps names that follow the reader's language."""
    for model in models:
        options = model._meta
        options.verbose_name = _name(options.verbose_name)
        options.verbose_name_plural = _name(options.verbose_name_plural)
        config: Any = apps.get_app_config(options.app_label)
        config.verbose_name = _name(config.verbose_name)
        for field in options.concrete_fields:
            field.verbose_name = _name(field.verbose_name)


def _name(name: str | Promise) -> str | Promise:
    # Django makes a plural of a name that has none.
    with override(None):
        english = str(name)
    return NAMES.get(english) or gettext_lazy(english)
