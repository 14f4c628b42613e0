"""The reset of somebody else's second factors."""

from django.utils.translation import gettext_noop
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.factors.services import second_factor_reset
from accounts.models import User
from accounts.permissions import Permission
from accounts.rules import needs
from people.guard import changing_people, may_manage, present
from people.selectors import account_of
from shop.core.errors import Forbidden


class SecondFactorResetView(APIView):
    """Lets somebody in again who has lost phone and recovery codes."""

    required = {"POST": needs(Permission.ACCOUNTS_ADMIN, recent=True)}

    @extend_schema(
        operation_id="accounts_second_factor_reset",
        tags=["people"],
        summary="Remove somebody's second factors",
        description=(
            "For somebody who has lost phone and recovery codes; make sure by another way that it "
            "is really them. All sessions, tokens and keys of the account end, and a mail tells "
            "its owner. Nobody resets their own, nor those of somebody who may do more."
        ),
        parameters=[OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)],
        request=None,
        responses={204: None},
    )
    def post(self, request: Request, userid: str) -> Response:
        reset_by(actor_of(request), account_of(userid))
        return Response(status=204)


def reset_by(actor: User, target: User) -> None:
    """Remove the second factors of somebody else. Raise ``Forbidden``."""
    if target.pk == actor.pk:
        raise Forbidden(gettext_noop("Nobody resets their own second factors."))
    with changing_people():
        actor = present(actor)
        may_manage(actor, target)
        second_factor_reset(user=target, actor_id=actor.pk)
