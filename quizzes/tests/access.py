"""The access to quizzes. Each part adds the rows of its routes."""

from typing import Any

from accounts.models import User
from quizzes.tests import access_answering as answering
from quizzes.tests import access_authoring as authoring
from quizzes.tests import access_funnel as funnel
from tests.access import Access


def _objects(owner: User) -> dict[str, Any]:
    return {**authoring.objects(owner), **answering.OBJECTS}


ACCESS = Access(
    objects=_objects,
    api={**authoring.API, **answering.API, **funnel.API},
    bodies={**authoring.BODIES, **answering.BODIES, **funnel.BODIES},
)
