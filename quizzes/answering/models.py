"""Attempts, which respondents' devices save, and the results of finished ones."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from quizzes.authoring.models import KEY_MAX_LENGTH, Quiz, Version

LANGUAGE_MAX_LENGTH = 12


class Attempt(models.Model):
    """The answers of a respondent so far. The device makes the id and the secret.

    It stays under the version that it began on. ``digest`` is that of the saved body, and tells
    a repeated save from another one with the same ``rev``. ``answers`` are keys of options and
    numbers; what the respondent wrote is sealed in ``private``, and ``written`` are the questions
    that have a text. ``at`` is the question being
    shown, ``seen`` are those of the path so far, and ``times`` the milliseconds at each. ``test``
    is a preview, which nothing counts. ``suspect`` was faster than people are.
    """

    class State(models.TextChoices):
        OPEN = "open"
        FINISHED = "finished"

    id = models.UUIDField(primary_key=True, editable=False)
    # One foreign key for both, in the migration, lets only a version of this quiz in.
    quiz = models.ForeignKey(
        Quiz, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(
        Version, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    secret_sha256 = models.BinaryField(max_length=32)
    rev = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    language = models.CharField(max_length=LANGUAGE_MAX_LENGTH)
    answers = models.JSONField(default=dict)
    private = models.TextField(blank=True, default="", db_default="")
    written = ArrayField(models.CharField(max_length=KEY_MAX_LENGTH), default=list, db_default=[])
    at = models.CharField(max_length=KEY_MAX_LENGTH, blank=True, default="", db_default="")
    seen = ArrayField(models.CharField(max_length=KEY_MAX_LENGTH), default=list, db_default=[])
    times = models.JSONField(default=dict, db_default={})
    source = models.JSONField(default=dict, db_default={})
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.OPEN, db_default=State.OPEN
    )
    test = models.BooleanField(default=False, db_default=False)
    suspect = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField(db_default=Now())
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            # The columns that a save changes are in no index, so saves stay within their pages.
            models.Index(fields=["quiz", "started_at", "id"], name="quizzes_attempts_by_quiz"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Result(models.Model):
    """What a finished attempt came to, by the scorer of its version. The database keeps it.

    ``answers`` are those on the ``path`` only. ``private`` are the sealed texts among them, the
    one column that an erasure empties. ``percent`` is null where no points were reachable.
    ``digest`` is that of the answers that were finished with. ``late`` came after the quiz's end.
    """

    attempt = models.OneToOneField(
        Attempt, primary_key=True, on_delete=models.PROTECT, related_name="result"
    )
    # One foreign key for both, in the migration, lets only a version of this quiz in.
    quiz = models.ForeignKey(
        Quiz, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(
        Version, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    language = models.CharField(max_length=LANGUAGE_MAX_LENGTH)
    digest = models.BinaryField(max_length=32)
    points = models.DecimalField(max_digits=12, decimal_places=3)
    max = models.DecimalField(max_digits=12, decimal_places=3)
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    band = models.CharField(max_length=KEY_MAX_LENGTH, blank=True)
    outcome = models.CharField(max_length=KEY_MAX_LENGTH, blank=True)
    tied = ArrayField(models.CharField(max_length=KEY_MAX_LENGTH), default=list)
    categories = models.JSONField(default=list)
    answers = models.JSONField(default=dict)
    private = models.TextField(blank=True, default="", db_default="")
    path = ArrayField(models.CharField(max_length=KEY_MAX_LENGTH))
    late = models.BooleanField(default=False, db_default=False)
    test = models.BooleanField(default=False, db_default=False)
    suspect = models.BooleanField(default=False, db_default=False)
    finished_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-finished_at", "-attempt"]
        indexes = [
            models.Index(fields=["quiz", "finished_at", "attempt"], name="quizzes_results_by_quiz"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
