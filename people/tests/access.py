"""The access to people: roles, teams, invitations and accounts."""

from typing import Any

from accounts.models import User
from people.models import Role, Team
from tests.access import NO_METHOD, OPEN_NO_METHOD, PASSWORD, Access, api, page

FOR_ADMINS = api(403, admin=200)
MADE = api(403, admin=201)
DONE = api(403, admin=204)
FOR_READERS = api(403, support=200, auditor=200, admin=200)
ONE_TEAM = "api/v1/teams/<str:id>/"


def _objects(owner: User) -> dict[str, Any]:
    Role.objects.create(code="shelves", name="Shelves", permissions=0)
    team = Team.objects.create(name="Office")
    team.refresh_from_db()
    return {
        **dict.fromkeys(("api/v1/teams/", "people/teams/"), team.pk),
        **dict.fromkeys(("api/v1/roles/", "people/roles/"), "shelves"),
    }


def _new_account(actor: str) -> dict[str, Any]:
    name = f"new-{actor}"
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD}


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/permissions/": {"GET": FOR_ADMINS, "POST": NO_METHOD},
        "api/v1/roles/": {"GET": FOR_ADMINS, "POST": MADE},
        "api/v1/roles/<str:code>/": {
            "GET": FOR_ADMINS,
            "POST": NO_METHOD,
            "PATCH": FOR_ADMINS,
            "DELETE": DONE,
        },
        "api/v1/teams/": {"GET": FOR_ADMINS, "POST": MADE},
        ONE_TEAM: {"GET": FOR_ADMINS, "POST": NO_METHOD, "PATCH": FOR_ADMINS, "DELETE": DONE},
        f"{ONE_TEAM}members/": {"GET": FOR_ADMINS, "POST": NO_METHOD},
        f"{ONE_TEAM}members/<str:userid>/": {
            "GET": NO_METHOD,
            "POST": NO_METHOD,
            "PUT": DONE,
            "DELETE": DONE,
        },
        f"{ONE_TEAM}invitations/": {"GET": NO_METHOD, "POST": api(403, admin=202)},
        # Nobody was invited.
        "api/v1/invitations/accept/": {"GET": NO_METHOD, "POST": api(404)},
        # Who is signed in is as welcome to sign up as anybody.
        "api/v1/accounts/": {"GET": FOR_READERS, "POST": {"default": 201}},
        # The sign-ins here are not recent.
        "api/v1/accounts/<str:userid>/second-factor/reset/": {"GET": NO_METHOD, "POST": api(403)},
        "api/v1/accounts/<str:userid>/": {
            "GET": FOR_READERS,
            "POST": NO_METHOD,
            "PATCH": FOR_ADMINS,
        },
    },
    pages={
        "people/": {"GET": page(403, support=200, auditor=200, admin=200), "POST": OPEN_NO_METHOD},
        "people/accounts/<path:userid>/": {
            "GET": page(403, support=200, auditor=200, admin=200),
            "POST": page(403, admin=302),
        },
        # The session of the table was not signed in lately.
        "people/second-factor/<path:userid>/": {
            "GET": OPEN_NO_METHOD,
            "POST": page(403, admin=302),
        },
        "people/teams/": {"GET": page(403, admin=200), "POST": page(403, admin=302)},
        "people/teams/<str:id>/": {"GET": page(403, admin=200), "POST": page(403, admin=302)},
        "people/roles/": {"GET": page(403, admin=200), "POST": page(403, admin=302)},
        "people/roles/<str:code>/": {"GET": page(403, admin=200), "POST": page(403, admin=302)},
        "people/invitations/<str:token>/": {"GET": {"default": 404}, "POST": page(404)},
    },
    bodies={
        "people/accounts/<path:userid>/": {"is_active": "yes"},
        "people/teams/": {"name": "Till"},
        "people/teams/<str:id>/": {"action": "invite", "email": "zoe@example.com"},
        "people/roles/": {"code": "office", "name": "Office"},
        "people/roles/<str:code>/": {"name": "Shelf"},
        "api/v1/roles/": {"code": "office", "name": "Office", "permissions": []},
        "PATCH api/v1/roles/<str:code>/": {"name": "Shelf"},
        "api/v1/teams/": {"name": "Till"},
        f"PATCH {ONE_TEAM}": {"name": "Offices"},
        f"{ONE_TEAM}invitations/": {"email": "zoe@example.com"},
        "api/v1/invitations/accept/": {"token": "unknown"},
        "api/v1/accounts/": _new_account,
        "PATCH api/v1/accounts/<str:userid>/": {"roles": []},
    },
)
