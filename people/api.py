"""The API of people: permissions, roles, teams, invitations and accounts."""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import AccountListView as SignUpView
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.permissions import Permission as P
from accounts.rules import OPEN, CredentialKind, Rule, needs
from accounts.wording import WORDS
from people import invitations, roles, selectors, services, teams
from people.idempotency import answer_once
from people.serializers import (
    AcceptSerializer,
    InvitationSerializer,
    JoinedSerializer,
    MemberSerializer,
    PermissionSerializer,
    PersonChangeSerializer,
    PersonSerializer,
    RoleChangeSerializer,
    RoleSerializer,
    TeamChangeSerializer,
    TeamSerializer,
    member_data,
    permission_data,
    person_data,
    role_data,
    team_data,
)
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import LOCATION, REPLAYED, Answer, answers
from shop.core.text import printable

ADMIN = needs(P.ACCOUNTS_ADMIN)
_ENVELOPE: Any = {"$ref": "#/components/schemas/ErrorEnvelope"}
_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_USERID = OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)
_MADE = answers({"201": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION})})
_REUSED = OpenApiResponse(_ENVELOPE, description="The key was used before with another body.")
_LAST = OpenApiResponse(
    _ENVELOPE, description="No active account would have `accounts:admin` any more (`last_admin`)."
)
_BUILTIN = OpenApiResponse(_ENVELOPE, description="The role is built in (`builtin`).")
TEAM = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "name": "Office",
    "roles": ["finance"],
    "members": 3,
}


class _ByKey(KeysetPagination):
    """Pages in the order of keys, which grow with time."""

    number_field = "pk"


def _actor(request: Request) -> User:
    return cast(User, request.user)


def _team_id(id: str) -> UUID:
    try:
        return UUID(id)
    except ValueError:
        raise NotFound() from None


def _read(serializer: Any, request: Request, **options: Any) -> dict[str, Any]:
    given = serializer(data=request.data, **options)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _all(results: list[Any]) -> Response:
    """Answer with a list so short that it is one page."""
    return Response({"next": None, "previous": None, "results": results})


class PermissionListView(APIView):
    """The catalogue of permissions."""

    required = {"GET": ADMIN}

    @extend_schema(
        operation_id="permissions_list",
        tags=["people"],
        summary="List all permissions",
        responses={200: OpenApiResponse(page_schema("Permission"))},
    )
    def get(self, request: Request) -> Response:
        return _all(
            [PermissionSerializer(permission_data(each, str(WORDS[each]))).data for each in P]
        )


class RoleListView(APIView):
    """Roles."""

    required = {"GET": ADMIN, "POST": ADMIN}

    @extend_schema(
        operation_id="roles_list",
        tags=["people"],
        summary="List the roles, the built-in ones first",
        responses={200: OpenApiResponse(page_schema("Role"))},
    )
    def get(self, request: Request) -> Response:
        return _all([role_data(role) for role in selectors.roles()])

    @extend_schema(
        operation_id="roles_create",
        tags=["people"],
        summary="Make a role",
        description="You need every permission that you put into it.",
        parameters=[IDEMPOTENCY_KEY],
        extensions=_MADE,
        request=RoleSerializer,
        responses={201: RoleSerializer, 409: _BUILTIN, 422: _REUSED},
        examples=[
            OpenApiExample(
                "the shelves",
                {"code": "shelves", "name": "Shelves", "permissions": ["purchases:read_all"]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = _read(RoleSerializer, request)

        def work() -> tuple[int, Any]:
            role = roles.role_create(actor=_actor(request), **given)
            return 201, role_data(selectors.role_of(role.code))

        return answer_once(request, work)


class RoleView(APIView):
    """One role."""

    required = {"GET": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

    @extend_schema(
        operation_id="roles_retrieve",
        tags=["people"],
        summary="Show a role",
        responses={200: RoleSerializer},
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(role_data(selectors.role_of(code)))

    @extend_schema(
        operation_id="roles_change",
        tags=["people"],
        summary="Change a role, and what everybody who has it may do",
        request=RoleChangeSerializer,
        responses={200: RoleSerializer, 409: _BUILTIN},
    )
    def patch(self, request: Request, code: str) -> Response:
        given = _read(RoleChangeSerializer, request)
        roles.role_change(actor=_actor(request), code=code, **given)
        return Response(role_data(selectors.role_of(code)))

    @extend_schema(
        operation_id="roles_delete",
        tags=["people"],
        summary="Delete a role that nobody has",
        responses={
            204: None,
            409: OpenApiResponse(
                _ENVELOPE, description="It is built in (`builtin`), or somebody has it (`in_use`)."
            ),
        },
    )
    def delete(self, request: Request, code: str) -> Response:
        roles.role_delete(actor=_actor(request), code=code)
        return Response(status=204)


class TeamListView(APIView):
    """Teams."""

    required = {"GET": ADMIN, "POST": ADMIN}
    moment_field = "created_at"

    @extend_schema(
        operation_id="teams_list",
        tags=["people"],
        summary="List teams, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema("Team"))},
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
        extensions=_MADE,
        request=TeamSerializer,
        responses={201: TeamSerializer, 422: _REUSED},
        examples=[
            OpenApiExample(
                "the office", {"name": "Office", "roles": ["finance"]}, request_only=True
            ),
            OpenApiExample("the team", TEAM, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = {"roles": [], **_read(TeamSerializer, request)}

        def work() -> tuple[int, Any]:
            return 201, team_data(teams.team_create(actor=_actor(request), **given), 0)

        return answer_once(request, work)


class TeamView(APIView):
    """One team."""

    required = {"GET": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

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
        given = _read(TeamChangeSerializer, request)
        teams.team_change(actor=_actor(request), id=_team_id(id), **given)
        return self._answer(id)

    @extend_schema(
        operation_id="teams_delete",
        tags=["people"],
        summary="Delete a team, whose members lose its roles",
        parameters=[_ID],
        responses={204: None, 409: _LAST},
    )
    def delete(self, request: Request, id: str) -> Response:
        teams.team_delete(actor=_actor(request), id=_team_id(id))
        return Response(status=204)


class MemberListView(APIView):
    """The members of a team."""

    required = {"GET": ADMIN}

    @extend_schema(
        operation_id="teams_members",
        tags=["people"],
        summary="List the members of a team, newest first",
        parameters=[_ID, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema("Member"))},
    )
    def get(self, request: Request, id: str) -> Response:
        paginator = _ByKey()
        members = selectors.members_of(selectors.team_of(id))
        found = paginator.paginate_queryset(members, request, self)
        data = MemberSerializer([member_data(each) for each in found], many=True).data
        return paginator.get_paginated_response(data)


class MemberView(APIView):
    """One member of a team."""

    required = {"PUT": ADMIN, "DELETE": ADMIN}

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
        teams.member_add(actor=_actor(request), id=_team_id(id), account_id=account.pk)
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
        teams.member_remove(actor=_actor(request), id=_team_id(id), account_id=account.pk)
        return Response(status=204)


class InvitationListView(APIView):
    """Invitations to a team."""

    required = {"POST": ADMIN}

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
        responses={202: OpenApiResponse(description="A mail will be sent."), 422: _REUSED},
        examples=[OpenApiExample("zoe", {"email": "zoe@example.com"}, request_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        given = _read(InvitationSerializer, request)
        team_id = _team_id(id)

        def work() -> tuple[int, Any]:
            invitations.invitation_create(actor=_actor(request), id=team_id, **given)
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
            403: OpenApiResponse(
                _ENVELOPE,
                description=(
                    "Your account has not verified the address that was invited "
                    "(`invitation_address`)."
                ),
            ),
            404: OpenApiResponse(_ENVELOPE, description="It is unknown, used or too old."),
            422: _REUSED,
        },
        examples=[
            OpenApiExample("the token of the mail", {"token": "k3J…"}, request_only=True),
            OpenApiExample("the team", {"team": TEAM}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = _read(AcceptSerializer, request)

        def work() -> tuple[int, Any]:
            team = invitations.invitation_accept(user=_actor(request), **given)
            counted: Any = selectors.team_of(str(team.pk))
            return 200, {"team": team_data(counted, counted.members)}

        return answer_once(request, work)


class AccountListView(SignUpView):
    """Accounts, for whoever may read them; and sign-up."""

    required = {"GET": needs(P.ACCOUNTS_READ_ALL), "POST": OPEN}

    def get_authenticators(self) -> list[Any]:
        """Nobody is signed in yet who signs up."""
        if self.request is not None and self.request.method == "POST":
            return []
        return [each() for each in APIView.authentication_classes]

    def get_throttles(self) -> list[Any]:
        return super().get_throttles() if self.request.method == "POST" else []

    @extend_schema(
        operation_id="accounts_list",
        tags=["people"],
        summary="List accounts, newest first",
        parameters=[
            OpenApiParameter(
                "search",
                OpenApiTypes.STR,
                description=(
                    "The beginning of a name, a userid or an address. The answer is one page."
                ),
            ),
            *PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(page_schema("Person"))},
    )
    def get(self, request: Request) -> Response:
        paginator = _ByKey()
        if text := request.query_params.get("search", "").strip():
            if len(text) > USERNAME_MAX_LENGTH or not printable(text):
                detail = f"Give at most {USERNAME_MAX_LENGTH} printable characters."
                raise ValidationFailed([FieldError("invalid", detail, "search")])
            size = paginator.page_size(request.query_params.get("page_size"))
            return _all(_people(selectors.accounts_named(text, size)))
        found = paginator.paginate_queryset(selectors.accounts(), request, self)
        return paginator.get_paginated_response(_people(found))


class AccountView(APIView):
    """One account."""

    required = {"GET": needs(P.ACCOUNTS_READ_ALL), "PATCH": ADMIN}

    @extend_schema(
        operation_id="accounts_retrieve",
        tags=["people"],
        summary="Show an account",
        parameters=[_USERID],
        responses={200: PersonSerializer},
    )
    def get(self, request: Request, userid: str) -> Response:
        return Response(_people([selectors.account_of(userid)])[0])

    @extend_schema(
        operation_id="accounts_change",
        tags=["people"],
        summary="Close or open an account, or give it roles",
        description=(
            "`roles` are all that it has besides its own and those of its teams. All credentials "
            "of a closed account end. Nobody changes an account that has a permission "
            "that they lack."
        ),
        parameters=[_USERID],
        request=PersonChangeSerializer,
        responses={200: PersonSerializer, 409: _LAST},
        examples=[OpenApiExample("finance", {"roles": ["finance"]}, request_only=True)],
    )
    def patch(self, request: Request, userid: str) -> Response:
        given = _read(PersonChangeSerializer, request)
        account = selectors.account_of(userid)
        changed = services.account_change(actor=_actor(request), account_id=account.pk, **given)
        return Response(_people([changed])[0])


def _people(found: list[User]) -> list[Any]:
    people = [person_data(each) for each in selectors.people_of(found)]
    return list(PersonSerializer(people, many=True).data)
