"""Writes to quizzes: made, drafted, published, opened and closed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from events.services import emit
from quizzes.authoring.drafts import checked, parse_draft, refusal
from quizzes.authoring.models import ORIGIN_MAX_LENGTH, QuestionKey, Quiz, Version
from quizzes.authoring.selectors import types_of
from quizzes.companies.models import Company
from quizzes.companies.services import SlugTaken, parse_slug
from quizzes.definition.canonical import canonical, digest
from quizzes.definition.parse import parse
from quizzes.definition.public import type_of
from quizzes.events import QUIZ_PUBLISHED
from quizzes.scoring.result import SCORER
from shop.core.errors import ApplicationError, Conflict, FieldError, ValidationFailed

QUIZZES_MAX = 1000
ARMS_MAX, WEIGHT_MAX = 4, 100
ORIGINS_MAX = 20
RETIRED_KEPT = timedelta(days=2)
"""Longer than a page that is open may begin with a version that was live."""


class DraftChanged(ApplicationError):
    """Somebody else has changed the draft since it was read."""

    status = 412
    code = "draft_changed"
    detail = gettext_noop("The draft was changed meanwhile. Read it again, and repeat the change.")


class TooManyQuizzes(Conflict):
    """The company has as many quizzes as it may have."""

    code = "quiz_limit"
    detail = gettext_noop("The company has as many quizzes as it may have.")


class NotPublished(Conflict):
    """Without a version there is nothing to open."""

    code = "not_published"
    detail = gettext_noop("Publish the quiz first.")


class Published(NamedTuple):
    """A version, and whether this publishing made it."""

    version: Version
    is_new: bool


def quiz_create(*, actor: User, company: Company, slug: str, definition: Any) -> Quiz:
    """Make a quiz with a draft. Raise ``ValidationFailed``, ``SlugTaken`` or ``TooManyQuizzes``."""
    slug, draft = parse_slug(slug), parse_draft(definition)
    if Quiz.objects.filter(company=company).count() >= QUIZZES_MAX:
        raise TooManyQuizzes()
    with transaction.atomic():
        try:
            with transaction.atomic():
                quiz = Quiz(company=company, slug=slug, draft=draft)
                quiz.save(force_insert=True)
        except IntegrityError:
            raise SlugTaken() from None
        quiz.refresh_from_db()
        _record("quiz.created", quiz, actor, after={"slug": slug, "company": company.slug})
    return quiz


def draft_save(*, quiz: Quiz, definition: Any, expected: set[int] | None) -> int:
    """Replace the draft, whose revision is one of ``expected``; ``None`` is any.

    Return the new revision. Raise ``DraftChanged`` or ``ValidationFailed``.
    """
    draft = parse_draft(definition)
    with transaction.atomic():
        locked = Quiz.objects.select_for_update(no_key=True).get(pk=quiz.pk)
        if expected is not None and locked.draft_rev not in expected:
            raise DraftChanged()
        if locked.draft != draft:
            locked.draft, locked.draft_rev = draft, locked.draft_rev + 1
            locked.save(update_fields=["draft", "draft_rev"])
    quiz.draft, quiz.draft_rev = locked.draft, locked.draft_rev
    return locked.draft_rev


def quiz_publish(*, actor: User, quiz: Quiz) -> Published:
    """Make the draft a version, and open a quiz that had none.

    A draft with the content of an earlier version makes that the one of new attempts again. Raise
    ``ValidationFailed`` with everything that prevents publishing.
    """
    with transaction.atomic():
        quiz = Quiz.objects.select_for_update(no_key=True, of=("self",)).get(pk=quiz.pk)
        if errors := checked(quiz.draft, types_of(quiz)).errors:
            raise refusal(errors)
        definition = parse(quiz.draft)
        content = canonical(definition)
        same = Version.objects.filter(quiz=quiz, sha256=digest(content)).first()
        if same is not None and same.number == quiz.version:
            return Published(same, False)
        version = same
        if version is None:
            last = Version.objects.filter(quiz=quiz).order_by("-number").first()
            version = Version(
                quiz=quiz,
                number=1 if last is None else last.number + 1,
                definition=content.decode(),
                sha256=digest(content),
                scorer=SCORER,
                published_by=actor,
            )
            version.save(force_insert=True)
            version.refresh_from_db()
            QuestionKey.objects.bulk_create(
                (
                    QuestionKey(quiz=quiz, question=each.key, type=type_of(each))
                    for each in definition.questions
                ),
                ignore_conflicts=True,
            )
        live = quiz.live
        before, quiz.version = quiz.version, version.number
        _retire(quiz, live)
        if quiz.state == Quiz.State.DRAFT:
            quiz.state = Quiz.State.OPEN
        quiz.save(update_fields=["version", "retired", "state"])
        sha256 = bytes(version.sha256).hex()
        emit(
            QUIZ_PUBLISHED,
            team=quiz.company.team_id,
            data={
                "company": quiz.company.slug,
                "quiz": str(quiz.pk),
                "slug": quiz.slug,
                "version": version.number,
                "sha256": sha256,
            },
        )
        _record(
            "quiz.published",
            quiz,
            actor,
            before={"version": before},
            after={"version": version.number, "sha256": sha256},
        )
    return Published(version, same is None)


def quiz_change(*, actor: User, quiz: Quiz, changes: dict[str, Any]) -> Quiz:
    """Open or close a quiz, or change its limits. Raise ``ValidationFailed`` or ``NotPublished``.

    ``changes`` may have ``state``, ``opens_at``, ``closes_at``, ``embed``, ``arms``,
    ``max_results`` and ``per_address``.
    """
    with transaction.atomic():
        quiz = Quiz.objects.select_for_update(no_key=True, of=("self",)).get(pk=quiz.pk)
        before, live = _facts(quiz), quiz.live
        if "state" in changes and quiz.version is None:
            raise NotPublished()
        if "embed" in changes:
            changes = {**changes, "embed": parse_origins(changes["embed"])}
        for name, value in changes.items():
            setattr(quiz, name, value)
        _check(quiz)
        _retire(quiz, live)
        quiz.save(update_fields=[*changes, "retired"])
        if (after := _facts(quiz)) != before:
            _record("quiz.changed", quiz, actor, before=before, after=after)
    return quiz


def _retire(quiz: Quiz, before: set[int]) -> None:
    """Note when versions stopped being live. What is older than a page stays open is dropped."""
    now = timezone.now()
    kept = {
        number: at
        for number, at in quiz.retired.items()
        if now - datetime.fromisoformat(at) < RETIRED_KEPT
    }
    kept |= dict.fromkeys(map(str, before), now.isoformat())
    quiz.retired = {number: at for number, at in kept.items() if int(number) not in quiz.live}


def parse_origins(given: Sequence[str]) -> list[str]:
    """Return the origins that may embed a quiz, each once. Raise ``ValidationFailed``."""
    found: list[str] = []
    for index, text in enumerate(given):
        origin = _origin(text)
        if origin is None:
            detail = "Give an origin such as https://shop.example, without a path."
            raise ValidationFailed([FieldError("invalid", detail, f"embed.{index}")])
        if origin not in found:
            found.append(origin)
    return found


def _origin(text: str) -> str | None:
    """Return the origin in its one spelling, or ``None`` for anything else."""
    if len(text) > 2 * ORIGIN_MAX_LENGTH:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    local = settings.DEVELOPMENT and host in ("localhost", "127.0.0.1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        return None
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return None
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    simple = all(label.replace("-", "").isalnum() for label in host.split("."))
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    return origin if host and simple and bare and len(origin) <= ORIGIN_MAX_LENGTH else None


def _check(quiz: Quiz) -> None:
    errors = []
    if quiz.opens_at and quiz.closes_at and quiz.closes_at <= quiz.opens_at:
        errors.append(FieldError("invalid", "It closes before it opens.", "closes_at"))
    if quiz.max_results is not None and quiz.max_results < quiz.finished:
        detail = f"There are {quiz.finished} results already."
        errors.append(FieldError("invalid", detail, "max_results"))
    numbers = [arm["version"] for arm in quiz.arms]
    known = set(
        Version.objects.filter(quiz=quiz, number__in=numbers).values_list("number", flat=True)
    )
    for index, number in enumerate(numbers):
        if number not in known:
            detail = "There is no such version."
            errors.append(FieldError("invalid", detail, f"arms.{index}.version"))
    if len(set(numbers)) < len(numbers):
        errors.append(FieldError("invalid", "Each version may be there once.", "arms"))
    if errors:
        raise ValidationFailed(errors)


def _facts(quiz: Quiz) -> dict[str, Any]:
    return {
        "state": quiz.state,
        "opens_at": _moment(quiz.opens_at),
        "closes_at": _moment(quiz.closes_at),
        "embed": quiz.embed,
        "arms": quiz.arms,
        "max_results": quiz.max_results,
        "per_address": quiz.per_address,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _record(action: str, quiz: Quiz, actor: User, **facts: Any) -> None:
    record(action, object=f"quiz:{quiz.pk}", actor_id=actor.pk, **facts)
