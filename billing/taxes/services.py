"""Setting tax rates, and the codes of items that are not taxed like most."""

from datetime import date
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from billing.taxes.models import ItemTax, TaxRate
from shop.core.errors import Conflict, FieldError, NotFound, ValidationFailed

RATES_MAX = 1000
EXEMPT = frozenset(("E", "AE", "K", "G", "O"))
"""The categories of EN 16931 that are not taxed and say why: exempt, reverse charge, within the
EU, export, not subject to tax."""


class RateExists(Conflict):
    """There is a rate of this code from this day on."""

    code = "rate_exists"
    detail = gettext_noop("This code has a rate from this day on.")
    attr = "valid_from"


class TooManyRates(Conflict):
    """There are as many rates as every invoice can be expected to read."""

    code = "too_many_rates"
    detail = gettext_noop("There are too many tax rates.")


def check_rate(*, category: str, rate: Decimal, exemption: str) -> None:
    """Raise ``ValidationFailed`` where EN 16931 does not allow this rate in the category."""
    errors = []
    if category in (*EXEMPT, "Z") and rate:
        errors.append(FieldError("invalid", "This category has the rate 0.", "rate"))
    if category == "S" and not rate:
        errors.append(FieldError("invalid", "The rate of category S is more than 0.", "rate"))
    if category in EXEMPT and not exemption:
        errors.append(FieldError("required", "Say why there is no tax.", "exemption"))
    if category not in EXEMPT and exemption:
        detail = "Only the categories E, AE, K, G and O have a reason."
        errors.append(FieldError("invalid", detail, "exemption"))
    if errors:
        raise ValidationFailed(errors)


def rate_create(
    *, actor: User, code: str, category: str, rate: Decimal, valid_from: date, exemption: str = ""
) -> TaxRate:
    """Add a rate; return it. Issued documents and drafts keep the rates that they were made with.

    Raise ``ValidationFailed``, ``RateExists`` and ``TooManyRates``.
    """
    check_rate(category=category, rate=rate, exemption=exemption)
    with transaction.atomic():
        if TaxRate.objects.count() >= RATES_MAX:
            raise TooManyRates
        try:
            with transaction.atomic():
                made = TaxRate.objects.create(
                    code=code,
                    category=category,
                    rate=rate,
                    valid_from=valid_from,
                    exemption=exemption,
                )
        except IntegrityError as error:
            raise RateExists from error
        record("taxrate.created", object=_object(made), actor_id=actor.pk, after=_facts(made))
    made.refresh_from_db()
    return made


def rate_delete(*, actor: User, id: int) -> None:
    """Delete a rate that was a mistake. Issued documents keep it. Raise ``NotFound``."""
    with transaction.atomic():
        rate = TaxRate.objects.select_for_update().filter(pk=id).first()
        if rate is None:
            raise NotFound
        record("taxrate.deleted", object=_object(rate), actor_id=actor.pk, before=_facts(rate))
        rate.delete()


def item_tax_set(*, actor: User, item: str, code: str) -> ItemTax:
    """Give an item a code of its own; return it. Raise ``ValidationFailed`` for an unknown code."""
    with transaction.atomic():
        if not TaxRate.objects.filter(code=code).exists():
            raise ValidationFailed([FieldError("invalid", "No tax rate has this code.", "code")])
        before = ItemTax.objects.select_for_update().filter(item=item).first()
        if before is not None and before.code == code:
            return before
        given, _made = ItemTax.objects.update_or_create(item=item, defaults={"code": code})
        record(
            "itemtax.changed",
            object=f"itemtax:{given.pk}",
            actor_id=actor.pk,
            before={"item": item, "code": before.code} if before else None,
            after={"item": item, "code": code},
        )
    return given


def item_tax_delete(*, actor: User, item: str) -> None:
    """Let an item be taxed like most again. Raise ``NotFound``."""
    with transaction.atomic():
        given = ItemTax.objects.select_for_update().filter(item=item).first()
        if given is None:
            raise NotFound
        record(
            "itemtax.changed",
            object=f"itemtax:{given.pk}",
            actor_id=actor.pk,
            before={"item": item, "code": given.code},
        )
        given.delete()


def _object(rate: TaxRate) -> str:
    return f"taxrate:{rate.pk}"


def _facts(rate: TaxRate) -> dict[str, str]:
    return {
        "code": rate.code,
        "category": rate.category,
        "rate": str(rate.rate),
        "valid_from": rate.valid_from.isoformat(),
        "exemption": rate.exemption,
    }
