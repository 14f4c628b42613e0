"""Quizzes, whose drafts change, and their published versions, which never do."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from quizzes.companies.models import SLUG_MAX_LENGTH, SLUG_PATTERN, Company
from shop.core.ids import UUIDv7

ORIGIN_MAX_LENGTH = 200
KEY_MAX_LENGTH = 40


class Quiz(models.Model):
    """A quiz: its draft, and how respondents reach its versions.

    ``draft`` may be incomplete; ``draft_rev`` grows with each of its changes. ``version`` is the
    number of the newest published version. ``arms`` are objects of ``version`` and ``weight``,
    among which attempts are divided; without arms all get the newest version. ``retired`` has the
    time when a version stopped being one of those, because pages are still open. ``finished``
    counts finished attempts, so that the database itself keeps the limit of ``max_results``.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        CLOSED = "closed"

    class PerAddress(models.TextChoices):
        """How many results one mail address may get."""

        MANY = "many"
        ONE = "one"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="quizzes", db_index=False
    )
    slug = models.CharField(max_length=SLUG_MAX_LENGTH, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    draft = models.JSONField()
    draft_rev = models.PositiveIntegerField(default=1)
    version = models.PositiveIntegerField(null=True)
    opens_at = models.DateTimeField(null=True)
    closes_at = models.DateTimeField(null=True)
    embed = ArrayField(models.CharField(max_length=ORIGIN_MAX_LENGTH), default=list, db_default=[])
    arms = models.JSONField(default=list, db_default=[])
    retired = models.JSONField(default=dict, db_default={})
    max_results = models.PositiveIntegerField(null=True)
    finished = models.PositiveIntegerField(default=0, db_default=0)
    per_address = models.CharField(
        max_length=10, choices=PerAddress.choices, default=PerAddress.MANY
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=SLUG_PATTERN), name="quizzes_quiz_slug"
            ),
            models.CheckConstraint(
                condition=models.Q(opens_at__isnull=True)
                | models.Q(closes_at__isnull=True)
                | models.Q(closes_at__gt=models.F("opens_at")),
                name="quizzes_quiz_opening",
            ),
            models.CheckConstraint(
                condition=models.Q(max_results__isnull=True)
                | models.Q(finished__lte=models.F("max_results")),
                name="quizzes_quiz_limit",
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft") | models.Q(version__isnull=False),
                name="quizzes_quiz_published",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "created_at", "id"], name="quizzes_quizzes_by_company"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def live(self) -> set[int]:
        """Return the numbers of the versions that new attempts may get."""
        return {arm["version"] for arm in self.arms} | ({self.version} if self.version else set())


class Version(models.Model):
    """A published definition, in canonical JSON, and the rules by which it is scored.

    The database refuses to change or delete it.
    """

    quiz = models.ForeignKey(
        Quiz, on_delete=models.PROTECT, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField()
    definition = models.TextField()
    sha256 = models.BinaryField(max_length=32)
    scorer = models.PositiveSmallIntegerField()
    published_at = models.DateTimeField(db_default=Now())
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["quiz", "number"], name="quizzes_version_number"),
            models.UniqueConstraint(fields=["quiz", "sha256"], name="quizzes_version_content"),
        ]

    def __str__(self) -> str:
        return f"{self.quiz_id} {self.number}"


class QuestionKey(models.Model):
    """The type of a question that some version has, so that the key never means another one."""

    quiz = models.ForeignKey(Quiz, on_delete=models.PROTECT, related_name="keys", db_index=False)
    question = models.CharField(max_length=KEY_MAX_LENGTH)
    type = models.CharField(max_length=10)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["quiz", "question"], name="quizzes_questionkey_once"),
        ]

    def __str__(self) -> str:
        return self.question
