"""The access to quizzes. Each part adds the rows of its routes."""

from typing import Any

from accounts.models import User
from quizzes.authoring.models import Quiz
from quizzes.tests import access_answering as answering
from quizzes.tests import access_authoring as authoring
from quizzes.tests import access_editing as editing
from quizzes.tests import access_funnel as funnel
from quizzes.tests import access_leads as leads
from quizzes.tests import access_player as player
from tests.access import Access


def _objects(owner: User) -> dict[str, Any]:
    made = authoring.objects(owner)
    editing.make_result(Quiz.objects.get(pk=made[authoring.Q]))
    # The pages of a quiz are those of the one that the API has.
    return {
        **made,
        **leads.objects(owner),
        **answering.OBJECTS,
        editing.Q: made[authoring.Q],
    }


ACCESS = Access(
    objects=_objects,
    api={**authoring.API, **answering.API, **editing.API, **funnel.API, **leads.API},
    pages={**editing.PAGES, **funnel.PAGES, **leads.PAGES, **player.PAGES},
    bodies={
        **authoring.BODIES,
        **answering.BODIES,
        **editing.BODIES,
        **funnel.BODIES,
        **leads.BODIES,
    },
)
