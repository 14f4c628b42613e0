"""Why an attempt cannot be saved or finished."""

from collections.abc import Sequence

from django.utils.translation import gettext_noop

from quizzes.definition.problems import Problem
from shop.core.errors import ApplicationError, Conflict, FieldError, ValidationFailed


class QuizClosed(ApplicationError):
    """The quiz takes no attempts now."""

    status = 410
    code = "quiz_closed"
    detail = gettext_noop("This quiz is closed.")


class QuizChanged(Conflict):
    """The version that an attempt would begin with is not published any more."""

    code = "quiz_changed"
    detail = gettext_noop("The quiz has changed since its page was opened. Load it again.")


class StaleRevision(Conflict):
    """A newer state of the attempt was saved before."""

    code = "stale_revision"
    detail = gettext_noop("A newer state of this attempt is saved already.")


class RevisionConflict(Conflict):
    """Two states of the attempt have the same number."""

    code = "revision_conflict"
    detail = gettext_noop("Another state of this attempt is saved with the same rev.")


class AlreadyFinished(Conflict):
    """The attempt has its result, which nothing changes."""

    code = "already_finished"
    detail = gettext_noop("This attempt is finished, with other answers.")


def refused(problems: Sequence[Problem]) -> ValidationFailed:
    """Return the error that tells a caller what is wrong with a definition or with answers."""
    return ValidationFailed([FieldError(*problem) for problem in problems])
