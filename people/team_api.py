"""The API of teams, their members and invitations."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import CredentialKind, Rule, needs
from people import invitations, selectors, teams
from people.idempotency import answer_once
from people.serializers import (
    AcceptSerializer,
    InvitationSerializer,
    JoinedSerializer,
    MemberSerializer,
    TeamChangeSerializer,
    TeamSerializer,
    member_data,
    team_data,
)
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, ByKey, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, MADE_ONCE, REPLAYED, Answer, answers, envelope

_ADMIN = needs(P.ACCOUNTS_ADMIN)
_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_USERID = OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)
_LAST = envelope("No active account would have `accounts:admin` any more (`last_admin`).")
_TEAM = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "name": "Office",
    "roles": ["finance"],
    "members": 3,
}


def _team_id(id: str) -> UUID:
    try:
        return UUID(id)
    except ValueError:
        raise NotFound() from None


class TeamListView(APIView):
    """Teams."""

    required = {"GET": _ADMIN, "POST": _ADMIN}
    moment_field = "created_at"

    @extend_schema(
        operation_id="teams_list",
        tags=["people"],
        summary="List teams, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema(TeamSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        found = paginator.paginate_queryset(selectors.teams(), request, self)
        return paginator.get_paginated_response([team_data(team, team.members) for team in found])

    @extend_schema(
        operation_id="teams_create",
        tags=["people"],
        summary="Make a team",
        description="You need every permission of its roles.",
        parameters=[IDEMPOTENCY_KEY],
        extensions=MADE_ONCE,
        request=TeamSerializer,
        responses={201: TeamSerializer, 422: KEY_REUSED},
        examples=[
            OpenApiExample(
                "the office", {"name": "Office", "roles": ["finance"]}, request_only=True
            ),
            OpenApiExample("the team", _TEAM, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = {"roles": [], **read(TeamSerializer, request)}

        def work() -> tuple[int, Any]:
            return 201, team_data(teams.team_create(actor=actor_of(request), **given), 0)

        return answer_once(request, work)


class TeamView(APIView):
    """One team."""

    required = {"GET": _ADMIN, "PATCH": _ADMIN, "DELETE": _ADMIN}

    def _answer(self, id: str) -> Response:
        team: Any = selectors.team_of(id)
        return Response(team_data(team, team.members))

    @extend_schema(
        operation_id="teams_retrieve",
        tags=["people"],
        summary="Show a team",
        parameters=[_ID],
        responses={200: TeamSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        return self._answer(id)

    @extend_schema(
        operation_id="teams_change",
        tags=["people"],
        summary="Change a team, and what its members may do",
        parameters=[_ID],
        request=TeamChangeSerializer,
        responses={200: TeamSerializer, 409: _LAST},
    )
    def patch(self, request: Request, id: str) -> Response:
        given = read(TeamChangeSerializer, request)
        teams.team_change(actor=actor_of(request), id=_team_id(id), **given)
        return self._answer(id)

    @extend_schema(
        operation_id="teams_delete",
        tags=["people"],
        summary="Delete a team, whose members lose its roles",
        parameters=[_ID],
        responses={204: None, 409: _LAST},
    )
    def delete(self, request: Request, id: str) -> Response:
        teams.team_delete(actor=actor_of(request), id=_team_id(id))
        return Response(status=204)


class MemberListView(APIView):
    """The members of a team."""

    required = {"GET": _ADMIN}

    @extend_schema(
        operation_id="teams_members",
        tags=["people"],
        summary="List the members of a team, newest first",
        parameters=[_ID, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(MemberSerializer))},
    )
    def get(self, request: Request, id: str) -> Response:
        paginator = ByKey()
        members = selectors.members_of(selectors.team_of(id))
        found = paginator.paginate_queryset(members, request, self)
        data = MemberSerializer([member_data(each) for each in found], many=True).data
        return paginator.get_paginated_response(data)


class MemberView(APIView):
    """One member of a team."""

    required = {"PUT": _ADMIN, "DELETE": _ADMIN}

    @extend_schema(
        operation_id="teams_members_add",
        tags=["people"],
        summary="Put an account into a team",
        description="You need every permission of the team, and every one that the account has.",
        parameters=[_ID, _USERID],
        request=None,
        responses={204: None},
    )
    def put(self, request: Request, id: str, userid: str) -> Response:
        account = selectors.account_of(userid)
        teams.member_add(actor=actor_of(request), id=_team_id(id), account_id=account.pk)
        return Response(status=204)

    @extend_schema(
        operation_id="teams_members_remove",
        tags=["people"],
        summary="Take an account out of a team",
        parameters=[_ID, _USERID],
        responses={204: None, 409: _LAST},
    )
    def delete(self, request: Request, id: str, userid: str) -> Response:
        account = selectors.account_of(userid)
        teams.member_remove(actor=actor_of(request), id=_team_id(id), account_id=account.pk)
        return Response(status=204)


class InvitationListView(APIView):
    """Invitations to a team."""

    required = {"POST": _ADMIN}

    @extend_schema(
        operation_id="teams_invite",
        tags=["people"],
        summary="Invite somebody to a team by mail",
        description=(
            "The answer does not tell whether the address has an account. The link is good once, "
            "for 7 days, for an account that has verified the address."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"202": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        request=InvitationSerializer,
        responses={202: OpenApiResponse(description="A mail will be sent."), 422: KEY_REUSED},
        examples=[OpenApiExample("zoe", {"email": "zoe@example.com"}, request_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        given = read(InvitationSerializer, request)
        team_id = _team_id(id)

        def work() -> tuple[int, Any]:
            invitations.invitation_create(actor=actor_of(request), id=team_id, **given)
            return 202, None

        return answer_once(request, work)


class AcceptView(APIView):
    """The acceptance of an invitation."""

    # It gives rights to the account, so no credential with rights of its own takes it.
    required = {"POST": Rule(credentials=CredentialKind.SESSION | CredentialKind.TOKEN)}

    @extend_schema(
        operation_id="invitations_accept",
        tags=["people"],
        summary="Accept an invitation",
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers({"200": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        request=AcceptSerializer,
        responses={
            200: JoinedSerializer,
            403: envelope(
                "Your account has not verified the address that was invited (`invitation_address`)."
            ),
            404: envelope("It is unknown, used or too old."),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample("the token of the mail", {"token": "k3J…"}, request_only=True),
            OpenApiExample("the team", {"team": _TEAM}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(AcceptSerializer, request)

        def work() -> tuple[int, Any]:
            team = invitations.invitation_accept(user=actor_of(request), **given)
            counted: Any = selectors.team_of(str(team.pk))
            return 200, {"team": team_data(counted, counted.members)}

        return answer_once(request, work)
