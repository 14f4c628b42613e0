"""Leads, what they consented to, and the mails that they get.

A lead's address and name are sealed with a key of its own, which an erasure deletes. An address is
found by a keyed digest, so no table tells it.
"""

from django.db import models
from django.db.models.functions import Now

from quizzes.answering.models import LANGUAGE_MAX_LENGTH, Result
from quizzes.authoring.models import KEY_MAX_LENGTH, Quiz
from quizzes.companies.models import Company
from shop.core.ids import UUIDv7
from shop.core.sealing import SealedColumn

SHA256_LENGTH = 64


class IndexKey(models.Model):
    """The key of a company's index of addresses, sealed: the same address differs in another."""

    company = models.OneToOneField(
        Company, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    key = models.CharField(max_length=200)

    def __str__(self) -> str:
        return str(self.pk)


class Lead(models.Model):
    """Somebody who left an address with a company.

    ``key`` is sealed and seals ``email`` and ``name``. An erasure empties all three, and puts
    random bytes in the place of ``email_index``. ``seen_at`` is when the lead last left its address
    or confirmed it, from which the company's retention counts.
    """

    class State(models.TextChoices):
        NEW = "new"
        CONFIRMED = "confirmed"
        WITHDRAWN = "withdrawn"
        ERASED = "erased"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="leads", db_index=False
    )
    email_index = models.BinaryField(max_length=32)
    key = models.CharField(max_length=200, blank=True)
    email = models.BinaryField(max_length=400, null=True)
    name = models.BinaryField(max_length=600, null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["company", "email_index"], name="quizzes_lead_once"),
            models.CheckConstraint(
                condition=models.Q(state="erased", key="", email=None, name=None)
                | (~models.Q(state="erased") & ~models.Q(key="")),
                name="quizzes_lead_erased",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "created_at", "id"], name="quizzes_leads_by_company"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state="new"),
                name="quizzes_leads_unconfirmed",
            ),
            models.Index(
                fields=["company", "seen_at"],
                condition=~models.Q(state="erased"),
                name="quizzes_leads_kept",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class LeadResult(models.Model):
    """That a lead left its address for a result, and when its mail's reader confirmed that.

    ``name`` is sealed with the lead's key. It is the lead's once it is confirmed, because anybody
    can type a name beside somebody else's address.
    """

    result = models.OneToOneField(
        Result, primary_key=True, on_delete=models.PROTECT, related_name="contact"
    )
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="results")
    name = models.BinaryField(max_length=600, null=True)
    given_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.pk)


class ConsentText(models.Model):
    """The literal text that somebody consented to, by its digest. Texts are only added."""

    sha256 = models.CharField(max_length=SHA256_LENGTH, primary_key=True)
    language = models.CharField(max_length=LANGUAGE_MAX_LENGTH)
    text = models.TextField()

    def __str__(self) -> str:
        return self.sha256


class Consent(models.Model):
    """What a lead ticked: for which purpose, under which text.

    The database lets ``confirmed_at`` and ``withdrawn_at`` be written once, and nothing else
    change. A consent holds from its confirmation to its withdrawal.
    """

    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="consents")
    purpose = models.CharField(max_length=KEY_MAX_LENGTH)
    text = models.ForeignKey(
        ConsentText, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="+", db_index=False)
    given_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            # One that was taken back may be given again.
            models.UniqueConstraint(
                fields=["result", "lead", "purpose", "text"],
                condition=models.Q(withdrawn_at=None),
                name="quizzes_consent_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead_id} {self.purpose}"

    @property
    def holds(self) -> bool:
        """Return whether the company may act on it."""
        return self.confirmed_at is not None and self.withdrawn_at is None


class MailToken(models.Model):
    """The digest of a token in a mailed link, and what the link is for."""

    class Purpose(models.TextChoices):
        CONFIRM = "confirm"
        RESULT = "result"
        LEAVE = "leave"

    sha256 = models.CharField(max_length=SHA256_LENGTH, primary_key=True)
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="+", db_index=False)
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="+", db_index=False)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="quizzes_tokens_by_end")]

    def __str__(self) -> str:
        return self.sha256


class LeadMail(models.Model):
    """A document of a lead: a mail, or the file of a result. Limits count the mails.

    ``address`` is a digest of the address with a key of the day, by which the mails of all
    companies to it are counted. It is emptied soon after.
    """

    document = models.UUIDField(primary_key=True, editable=False)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+", db_index=False)
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="mails")
    quiz = models.ForeignKey(Quiz, on_delete=models.PROTECT, related_name="+", db_index=False)
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20)
    counted = models.BooleanField(default=False)
    address = models.CharField(max_length=SHA256_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(
                fields=["company", "created_at"],
                condition=models.Q(counted=True),
                name="quizzes_mails_by_company",
            ),
            models.Index(
                fields=["address", "created_at"],
                condition=~models.Q(address=""),
                name="quizzes_mails_by_address",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


LEAD_KEY, INDEX_KEY = "quizzes_lead.key", "quizzes_indexkey.key"
SEALED = (
    SealedColumn(LEAD_KEY, "quizzes_lead", "key", account="id"),
    SealedColumn(INDEX_KEY, "quizzes_indexkey", "key", account="company_id", key="company_id"),
)
