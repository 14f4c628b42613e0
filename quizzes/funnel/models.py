"""Views, coupons that leads were given, and the purchases that came of results."""

from django.db import models
from django.db.models.functions import Now

from billing.coupons.models import CODE_MAX_LENGTH, Coupon
from quizzes.answering.models import Result
from quizzes.authoring.models import Quiz

REF_MAX_LENGTH = 40
REFS_A_DAY = 50
OTHER = "other"
"""The ref of the views with a ref that is one too many on its day."""
CAMPAIGN_MAX_LENGTH = 100


class View(models.Model):
    """How many times a quiz was opened on a day (UTC), by the ref of the link. No person is kept.

    It is the one number of a quiz that is no count of rows, and may lose a second in a crash.
    """

    quiz = models.ForeignKey(Quiz, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    ref = models.CharField(max_length=REF_MAX_LENGTH, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["quiz", "day", "ref"], name="quizzes_one_view"),
        ]

    def __str__(self) -> str:
        return f"{self.quiz_id} {self.day} {self.ref} {self.count}"


class Grant(models.Model):
    """The coupon of a campaign that a lead was given with a result, or why it got none.

    The erasure of the lead leaves a row that only counts: of a random lead, and of no result.
    """

    class Reason(models.TextChoices):
        """Why a lead got no coupon."""

        OFF = "billing_off"
        UNKNOWN = "no_campaign"
        OVER = "campaign_over"
        NONE_LEFT = "none_left"

    lead_id = models.UUIDField()
    campaign = models.CharField(max_length=CAMPAIGN_MAX_LENGTH)
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="+", null=True)
    coupon = models.OneToOneField(Coupon, on_delete=models.PROTECT, related_name="+", null=True)
    template = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="+", null=True)
    code = models.CharField(max_length=CODE_MAX_LENGTH, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lead_id", "campaign"], name="quizzes_one_grant"),
            models.CheckConstraint(
                condition=models.Q(coupon__isnull=False, reason="")
                | models.Q(coupon__isnull=True) & ~models.Q(reason=""),
                name="quizzes_grant_or_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead_id} {self.campaign}"


class Attribution(models.Model):
    """The one result that a purchase came of. The purchase is the key, so there is one at most.

    The erasure of the lead replaces the purchase's id by a random one, so totals stay, and nothing
    leads from the purchase to the answers.
    """

    class Via(models.TextChoices):
        COUPON = "coupon"
        ADDRESS = "address"

    purchase_id = models.UUIDField(primary_key=True)
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=10, choices=Via.choices)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=24, decimal_places=2)
    bought_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)
