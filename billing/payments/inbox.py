"""The providers' messages: each is booked once, and one that comes too early waits."""

from collections.abc import Sequence

import msgspec
from django.db import connection, transaction

from billing.payments.facts import apply, payment_id_of
from billing.payments.models import ProviderEvent
from billing.payments.providers.interface import Fact, Message, PaymentChanged

_ADD = f"""
INSERT INTO {ProviderEvent._meta.db_table} (provider, event_id, kind, facts, waits_for)
VALUES (%s, %s, %s, %s, '') ON CONFLICT (provider, event_id) DO NOTHING RETURNING id
"""  # noqa: S608


def message_book(provider: str, message: Message) -> str:
    """Book a message; return ``booked``, ``repeated``, or ``ignored`` for one of no interest.

    A message about a payment that is not known yet is kept, and booked with the message that makes
    the payment known.
    """
    if not message.facts:
        return "ignored"
    with transaction.atomic():
        with connection.cursor() as cursor:
            facts = msgspec.json.encode(message.facts).decode()
            cursor.execute(_ADD, [provider, message.event_id, message.kind, facts])
            row = cursor.fetchone()
        if row is None:
            return "repeated"
        too_early = facts_book(provider, message.facts)
        if too_early:
            waits_for = payment_id_of(too_early[0])
            ProviderEvent.objects.filter(pk=row[0]).update(waits_for=waits_for)
    return "booked"


def facts_book(provider: str, facts: Sequence[Fact]) -> list[Fact]:
    """Book facts and what has waited for them; return those that have to wait."""
    too_early = [fact for fact in facts if not apply(provider, fact)]
    for fact in facts:
        if isinstance(fact, PaymentChanged) and fact.external_id:
            _book_waiting(provider, fact.external_id)
    return too_early


def _book_waiting(provider: str, payment: str) -> None:
    waiting = ProviderEvent.objects.filter(provider=provider, waits_for=payment).order_by("id")
    for event in waiting:
        facts = msgspec.convert(event.facts, list[Fact])
        if not [fact for fact in facts if not apply(provider, fact)]:
            ProviderEvent.objects.filter(pk=event.pk).update(waits_for="")
