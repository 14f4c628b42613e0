"""What is read about companies."""

from collections.abc import Sequence

from people.models import Membership
from quizzes.companies.models import Seat


def roles_of(memberships: Sequence[Membership]) -> dict[int, str]:
    """Return the role of each of these memberships, by its key."""
    seats = dict(Seat.objects.filter(pk__in=[m.pk for m in memberships]).values_list("pk", "role"))
    return {each.pk: seats.get(each.pk, Seat.Role.VIEWER.value) for each in memberships}
