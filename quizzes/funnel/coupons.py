"""Coupons that leads are given with their results.

A campaign is a coupon of billing, whose terms its codes have. It says until when, and by
``max_redemptions`` how many. Each lead gets a code of its own, which is good for one purchase or
invoice. The company ``shop`` names a coupon by its code. The coupons of another company begin with
its slug and two hyphens, as ``ACME--WELCOME`` does, so that no company hands out the discounts of
the shop or of another one: only who may write everybody's bills makes coupons.
"""

import secrets
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from billing.coupons.models import Coupon
from billing.coupons.redeeming import normal
from quizzes.answering.models import Result
from quizzes.authoring.selectors import definition_of
from quizzes.companies.models import SHOP, Company
from quizzes.funnel.models import Attribution, Grant
from quizzes.leads.models import Lead, LeadResult

logger = structlog.get_logger(__name__)

BETWEEN = "--"
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_PARTS, _PART = 3, 4
_COPIED = ("percent", "amount", "currency", "ends_at", "minimum", "items", "created_by_id")
Reason = Grant.Reason

_UNLINK = f"""
UPDATE {Attribution._meta.db_table} SET purchase_id = gen_random_uuid()
WHERE result_id IN (SELECT result_id FROM {LeadResult._meta.db_table} WHERE lead_id = %s)
"""  # noqa: S608


def coupon_give(*, lead_id: UUID, company: Company, campaign: str, result_id: UUID) -> str:
    """Return the code of the lead's coupon in a campaign, in the caller's transaction.

    Of many who ask at once all get the same. Without a coupon the code is empty, and the company
    sees why on the page of its funnel.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("coupon_give() needs a transaction.")
    given = Grant.objects.filter(lead_id=lead_id, campaign=campaign)
    if found := given.first():
        return found.code
    template = _template(company, campaign)
    # Who else asks for the lead, or for one of the last codes, has waited for the template's row.
    if template is not None and (found := given.first()):
        return found.code
    grant = Grant(lead_id=lead_id, campaign=campaign, result_id=result_id, template=template)
    grant.reason = _refusal(template)
    if not grant.reason and template is not None:
        grant.coupon = _mint(template)
        grant.code = grant.coupon.code
    else:
        logger.warning("coupon.not_given", campaign=campaign, reason=grant.reason)
    Grant.objects.bulk_create([grant], ignore_conflicts=True)
    return grant.code


def lead_confirmed(lead: Lead, result: Result) -> None:
    """Give the lead the coupon that the version of its result names, if it names one."""
    campaign = definition_of(result.version_id).result.coupon
    if campaign and not result.test:
        coupon_give(lead_id=lead.pk, company=lead.company, campaign=campaign, result_id=result.pk)


def code_of(result_id: UUID) -> str:
    """Return the code that the lead of a result has in the result's campaign, or ``""``."""
    contact = LeadResult.objects.select_related("result").filter(pk=result_id).first()
    campaign = contact and definition_of(contact.result.version_id).result.coupon
    if contact is None or not campaign or contact.confirmed_at is None:
        return ""
    found = Grant.objects.filter(lead_id=contact.lead_id, campaign=campaign)
    return found.values_list("code", flat=True).first() or ""


def lead_forget(lead_id: UUID) -> None:
    """Cut what leads from coupons and purchases to the lead's results; all counts stay."""
    with connection.cursor() as cursor:
        cursor.execute(_UNLINK, [lead_id])
        cursor.execute(
            f"UPDATE {Grant._meta.db_table} SET lead_id = gen_random_uuid(), result_id = NULL"  # noqa: S608
            " WHERE lead_id = %s",
            [lead_id],
        )


def campaign_code(company: Company, campaign: str) -> str:
    """Return the code of the coupon that is the campaign of a company."""
    return normal(campaign if company.slug == SHOP else f"{company.slug}{BETWEEN}{campaign}")


def _template(company: Company, campaign: str) -> Coupon | None:
    """Return the campaign's coupon, locked against others who mint; ``None`` without one."""
    if not settings.BILLING:
        return None
    found = Coupon.objects.select_for_update(of=("self",), no_key=True)
    return found.filter(code=campaign_code(company, campaign)).first()


def _refusal(template: Coupon | None) -> str:
    now = timezone.now()
    if template is None:
        return Reason.UNKNOWN if settings.BILLING else Reason.OFF
    if (
        not template.active
        or (template.ends_at is not None and template.ends_at <= now)
        or (template.starts_at is not None and template.starts_at > now)
    ):
        return Reason.OVER
    if template.max_redemptions is not None:
        minted = Grant.objects.filter(template=template, coupon__isnull=False).count()
        if minted >= template.max_redemptions:
            return Reason.NONE_LEFT
    return ""


def _mint(template: Coupon) -> Coupon:
    terms = {name: getattr(template, name) for name in _COPIED}
    coupon = Coupon(code=_new_code(), max_redemptions=1, max_per_customer=1, **terms)
    coupon.save(force_insert=True)
    return coupon


def _new_code() -> str:
    """Return a code that nobody guesses: 59 random bits."""
    parts = ("".join(secrets.choice(_LETTERS) for _ in range(_PART)) for _ in range(_PARTS))
    return "-".join(parts)
