"""Roles, teams and members by the API: what each change does, and what is refused."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.permissions import ALL, ROLES, Permission, codes
from audit.models import Waiting
from people.tests.conftest import make
from tests.callers import Api

pytestmark = pytest.mark.django_db


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def actions() -> list[tuple[str, str, int | None]]:
    """Return the entries of the audit so far, but for those of the tests' own accounts."""
    made = ("account.created", "address.added")
    entries = Waiting.objects.exclude(action__in=made).order_by("id")
    rows = entries.values_list("action", "object", "actor_id")
    return [(str(action), str(what), actor) for action, what, actor in rows]


def test_the_catalogue_names_every_permission(boss: Api) -> None:
    listed = boss("GET", "permissions/").json()["results"]
    assert [each["code"] for each in listed] == codes(ALL)
    assert listed[2] == {
        "code": "purchases:read_all",
        "part": "purchases",
        "description": "See everybody's purchases",
        "bit": 2,
    }


def test_the_life_of_a_role(boss: Api) -> None:
    new = {"code": "shelves", "name": " Shelves ", "permissions": ["logs:read_all"]}
    made = boss("POST", "roles/", new)
    assert made.status_code == 201
    role = {**new, "name": "Shelves", "builtin": False}
    assert made.json() == role == boss("GET", "roles/shelves/").json()
    listed = boss("GET", "roles/").json()["results"]
    assert [each["code"] for each in listed] == [*ROLES, "shelves"]
    ann = Api(make("ann"))
    given = boss("PATCH", "accounts/id-ann/", {"roles": ["shelves"]})
    assert (given.status_code, given.json()["roles"]) == (200, ["customer", "shelves"])
    me = ann("GET", "accounts/me/").json()
    assert ("logs:read_all" in me["permissions"], me["roles"]) == (True, ["customer", "shelves"])
    # The change of a role is that of everybody who has it, at the next request.
    changed = boss("PATCH", "roles/shelves/", {"permissions": ["audit:read_all"]})
    assert changed.json()["permissions"] == ["audit:read_all"]
    permissions = ann("GET", "accounts/me/").json()["permissions"]
    assert ("logs:read_all" in permissions, "audit:read_all" in permissions) == (False, True)
    assert code_of(boss("DELETE", "roles/shelves/")) == (409, "in_use")
    assert boss("PATCH", "accounts/id-ann/", {"roles": []}).status_code == 200
    assert boss("DELETE", "roles/shelves/").status_code == 204
    assert boss("DELETE", "roles/shelves/").status_code == 404
    assert boss("GET", "roles/shelves/").status_code == 404
    who, object = boss.user.pk, f"account:{ann.user.pk}"
    assert [each for each in actions() if not each[0].startswith("token")] == [
        ("role.created", "role:shelves", who),
        ("account.ranked", object, who),
        ("role.changed", "role:shelves", who),
        ("account.ranked", object, who),
        ("role.deleted", "role:shelves", who),
    ]


def test_what_no_role_can_be(boss: Api) -> None:
    good = {"code": "shelves", "name": "Shelves", "permissions": []}
    assert boss("POST", "roles/", good).status_code == 201
    for change, expected in (
        ({}, (400, "taken")),
        ({"code": "finance"}, (409, "builtin")),
        ({"code": "customer"}, (409, "builtin")),
        ({"code": "Shelves"}, (400, "invalid")),
        ({"code": "a"}, (400, "invalid")),
        ({"code": "x" * 21}, (400, "max_length")),
        ({"code": "b/c"}, (400, "invalid")),
        ({"code": "none", "permissions": ["all"]}, (400, "unknown_permission")),
        ({"code": "none", "name": "‮"}, (400, "invalid")),
        ({"code": "none", "name": " "}, (400, "blank")),
    ):
        assert code_of(boss("POST", "roles/", good | change)) == expected, change
    for code in ROLES:
        assert code_of(boss("PATCH", f"roles/{code}/", {"name": "x"})) == (409, "builtin")
        assert code_of(boss("DELETE", f"roles/{code}/")) == (409, "builtin")
    assert code_of(boss("PATCH", "accounts/id-boss/", {"roles": ["nobody"]})) == (
        400, "unknown_role",
    )  # fmt: skip


def test_the_life_of_a_team(boss: Api) -> None:
    made = boss("POST", "teams/", {"name": "Office", "roles": ["finance"]})
    team = made.json()
    assert (made.status_code, team["members"], team["roles"]) == (201, 0, ["finance"])
    assert code_of(boss("POST", "teams/", {"name": "Office"})) == (400, "taken")
    path = f"teams/{team['id']}/"
    ann = Api(make("ann", "support"))
    before = ann("GET", "accounts/me/").json()["permissions"]
    for _ in range(2):
        assert boss("PUT", f"{path}members/id-ann/").status_code == 204
    assert boss("GET", path).json() == team | {"members": 1}
    assert boss("GET", "teams/").json()["results"] == [team | {"members": 1}]
    assert [each["userid"] for each in boss("GET", f"{path}members/").json()["results"]] == [
        "id-ann"
    ]
    me = ann("GET", "accounts/me/").json()
    assert me["roles"] == ["customer", "finance", "support"]
    assert "billing:write_all" in me["permissions"]
    shown = boss("GET", "accounts/id-ann/").json()
    assert shown["teams"] == [{"id": team["id"], "name": "Office"}]
    assert shown["roles"] == ["customer", "support"]
    # What a team loses its members lose, and its end is that of its roles.
    assert boss("PATCH", path, {"roles": ["auditor"], "name": "Bureau"}).status_code == 200
    assert "billing:write_all" not in ann("GET", "accounts/me/").json()["permissions"]
    assert ann("GET", "audit/").status_code == 200
    assert code_of(boss("PATCH", path, {"roles": ["nobody"]})) == (400, "unknown_role")
    assert boss("DELETE", f"{path}members/id-ann/").status_code == 204
    assert ann("GET", "accounts/me/").json()["permissions"] == before
    assert ann("GET", "audit/").status_code == 403
    assert boss("PUT", f"{path}members/id-ann/").status_code == 204
    assert boss("DELETE", path).status_code == 204
    assert ann("GET", "accounts/me/").json()["permissions"] == before
    assert boss("GET", path).status_code == boss("DELETE", path).status_code == 404
    assert boss("PUT", f"{path}members/id-ann/").status_code == 404
    entries = [action for action, _, _ in actions() if not action.startswith("token")]
    assert entries == [
        "team.created", "member.added", "team.changed", "member.removed", "member.added",
        "team.deleted",
    ]  # fmt: skip


def test_nobody_gives_what_they_lack_or_changes_whom_they_may_not(boss: Api) -> None:
    """A manager of accounts who may read purchases, and nothing else of the shop."""
    may = ["accounts:admin", "accounts:read_all", "purchases:read_all", "reports:read_all"]
    assert (
        boss("POST", "roles/", {"code": "hr", "name": "HR", "permissions": may}).status_code == 201
    )
    low = boss("POST", "roles/", {"code": "low", "name": "Low", "permissions": may[2:]}).json()
    office = boss("POST", "teams/", {"name": "Office", "roles": ["finance"]}).json()
    hall = boss("POST", "teams/", {"name": "Hall", "roles": ["low"]}).json()
    hr, joe, ann = Api(make("hr", "hr")), make("joe"), make("ann", "finance")
    assert boss("PUT", f"teams/{office['id']}/members/id-ann/").status_code == 204
    root = make("root", is_staff=True, is_superuser=True)
    changes: list[dict[str, Any]] = [{"roles": []}, {"is_active": False}, {"is_active": True}]
    refused = [
        ("POST", "roles/", {"code": "up", "name": "Up", "permissions": ["logs:read_all"]}),
        ("PATCH", "roles/low/", {"permissions": [*low["permissions"], "settings:write_all"]}),
        ("POST", "teams/", {"name": "New", "roles": ["admin"]}),
        ("PATCH", f"teams/{hall['id']}/", {"roles": ["low", "auditor"]}),
        ("PATCH", f"teams/{office['id']}/", {"roles": []}),
        ("DELETE", f"teams/{office['id']}/", None),
        ("PUT", f"teams/{office['id']}/members/id-joe/", None),
        ("PUT", f"teams/{office['id']}/members/id-hr/", None),
        ("DELETE", f"teams/{office['id']}/members/id-ann/", None),
        ("PUT", f"teams/{hall['id']}/members/id-ann/", None),
        ("POST", f"teams/{office['id']}/invitations/", {"email": "hr@example.com"}),
        ("PATCH", "accounts/id-joe/", {"roles": ["finance"]}),
        ("PATCH", "accounts/id-hr/", {"roles": ["hr", "admin"]}),
        *(
            ("PATCH", f"accounts/id-{name}/", change)
            for name in ("ann", "boss", "root")
            for change in changes
        ),
    ]
    before = list(User.objects.order_by("pk").values_list("roles", "role_permissions", "is_active"))
    for method, path, body in refused:
        answer = hr(method, path, body)
        assert code_of(answer) == (403, "permission_denied"), (method, path, body)
        # The header says what would be needed, and never what the caller has.
        assert set(answer.get("Accepted-Permissions", "").split()).isdisjoint(may)
    after = list(User.objects.order_by("pk").values_list("roles", "role_permissions", "is_active"))
    assert after == before
    allowed = [
        ("PATCH", "accounts/id-joe/", {"roles": ["low"], "is_active": False}, 200),
        ("PATCH", "accounts/id-joe/", {"is_active": True}, 200),
        ("PUT", f"teams/{hall['id']}/members/id-joe/", None, 204),
        ("PATCH", f"teams/{hall['id']}/", {"roles": []}, 200),
        ("PATCH", "roles/low/", {"permissions": []}, 200),
    ]
    for method, path, body, status in allowed:
        assert hr(method, path, body).status_code == status, (method, path, body)
    # A superuser is out of reach of everybody else, also of whoever may do everything in the shop.
    assert boss("PATCH", "accounts/id-root/", {"is_active": False}).status_code == 403
    assert (joe.pk, ann.pk, root.is_active) == (joe.pk, ann.pk, True)


def test_a_credential_gives_no_more_than_it_has(boss: Api) -> None:
    """The account may give everything, but its token may not."""
    make("joe")
    narrow = int(Permission.ACCOUNTS_ADMIN | Permission.LOGS_READ_ALL)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE knox_authtoken SET permissions = %s", [narrow])
    for role in ("finance", "admin"):
        assert boss("PATCH", "accounts/id-joe/", {"roles": [role]}).status_code == 403
    assert boss("PATCH", "accounts/id-joe/", {"is_active": False}).status_code == 200


def test_who_is_closed_is_out_at_once(boss: Api) -> None:
    joe = Api(make("joe"))
    browser = joe.client.__class__()
    browser.force_login(joe.user)
    assert joe("GET", "accounts/me/").status_code == 200
    assert browser.get("/accounts/").status_code == 200
    assert boss("PATCH", "accounts/id-joe/", {"is_active": False}).json()["is_active"] is False
    assert joe("GET", "accounts/me/").status_code == 401
    assert browser.get("/accounts/").status_code == 302
    assert boss("PATCH", "accounts/id-joe/", {"is_active": True}).status_code == 200
    # What has ended does not come back.
    assert joe("GET", "accounts/me/").status_code == 401
    assert browser.get("/accounts/").status_code == 302
    assert [action for action, object, _ in actions() if object == f"account:{joe.user.pk}"][
        -2:
    ] == ["account.deactivated", "account.activated"]


def test_a_stale_save_gives_nothing_back(boss: Api) -> None:
    """A request that read the account before its rights were taken away saves it afterwards."""
    joe = make("joe", "finance", "admin")
    stale = User.objects.get(pk=joe.pk)
    assert boss("PATCH", "accounts/id-joe/", {"roles": [], "is_active": False}).status_code == 200
    stale.language = "de"
    stale.save()
    now = User.objects.get(pk=joe.pk)
    assert (now.language, now.roles, now.role_permissions, now.is_active) == ("de", [], 0, False)


def test_writes_are_repeated_under_their_key(boss: Api) -> None:
    new = {"code": "shelves", "name": "Shelves", "permissions": []}
    first = boss("POST", "roles/", new, Idempotency_Key="k")
    again = boss("POST", "roles/", new, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json(), first.get("Idempotent-Replayed")) == (again.json(), None)
    assert again["Idempotent-Replayed"] == "true"
    other = boss("POST", "roles/", new | {"name": "Shelf"}, Idempotency_Key="k")
    assert code_of(other) == (422, "idempotency_key_reused")
    # The key's scope is the caller and the route; and an error keeps nothing.
    office = boss("POST", "teams/", {"name": "Office"}, Idempotency_Key="k")
    assert office.status_code == 201
    # An id is the same however it is spelled.
    for id, replayed in [(office.json()["id"], None), (office.json()["id"].upper(), "true")]:
        invited = {"email": "zoe@example.com"}
        answer = boss("POST", f"teams/{id}/invitations/", invited, Idempotency_Key="k")
        assert (answer.status_code, answer.get("Idempotent-Replayed")) == (202, replayed)
    second = Api(make("second", "admin"))
    assert second("POST", "teams/", {"name": "Office"}, Idempotency_Key="k").status_code == 400
    assert second("POST", "teams/", {"name": "Hall"}, Idempotency_Key="k").status_code == 201


def test_accounts_come_in_pages_and_by_search(boss: Api) -> None:
    for number in range(7):
        make(f"joe{number}", *(["support"] if number % 2 else []))
    everybody = [f"id-joe{number}" for number in reversed(range(7))] + ["id-boss"]
    seen, path = [], "accounts/?page_size=3"
    while path:
        page = boss("GET", path).json()
        seen += [each["userid"] for each in page["results"]]
        path = (page["next"] or "").partition("/api/v1/")[2]
    assert seen == everybody
    last = boss("GET", "accounts/?page_size=3&cursor=last").json()
    assert [each["userid"] for each in last["results"]] == everybody[-3:]
    for text, expected in (
        ("JOE3", ["id-joe3"]),
        ("id-joe5", ["id-joe5"]),
        ("joe1@example", ["id-joe1"]),
        ("nobody", []),
    ):
        found = boss("GET", f"accounts/?search={text}").json()["results"]
        assert [each["userid"] for each in found] == expected, text
    support = Api(User.objects.get(username="joe1"))
    assert support("GET", "accounts/").status_code == 200
    assert support("PATCH", "accounts/id-joe0/", {"is_active": False}).status_code == 403
    for path in ("accounts/?cursor=x", "accounts/?page_size=0", "accounts/?search=%00"):
        assert boss("GET", path).status_code == 400, path


def test_lists_cost_the_same_for_few_and_for_many(boss: Api) -> None:
    def count(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert boss("GET", path).status_code == 200
        return len(queries)

    ids = []
    for number in range(12):
        team = boss("POST", "teams/", {"name": f"Team {number}", "roles": ["support"]}).json()
        ids.append(team["id"])
        make(f"p{number}", "finance")
        assert boss("PUT", f"teams/{team['id']}/members/id-p{number}/").status_code == 204
        assert boss("PUT", f"teams/{ids[0]}/members/id-p{number}/").status_code == 204
    for path in ("accounts/?page_size={}", "teams/?page_size={}"):
        assert count(path.format(2)) == count(path.format(500)), path
    path = f"teams/{ids[0]}/members/?page_size="
    assert count(path + "2") == count(path + "500")
