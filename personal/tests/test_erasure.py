"""Asking for an export or an erasure, changing one's mind, and what stands in the way."""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail as outbox
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import BrowserSession, OutgoingMail, Place, Token, User
from accounts.sessions.trace import SessionTrace
from audit.models import Waiting
from documents.models import Document
from people.models import Membership, Team
from personal import erasing, services
from personal.errors import AlreadyErased
from personal.models import Erasure, Tombstone
from personal.tasks import erase_due
from personal.tests.conftest import recent
from personal.tombstones import erased_names
from shop.core.errors import Forbidden

ME = "/api/v1/accounts/me/"
JSON = "application/json"


@pytest.fixture
def ann(db: Any) -> User:
    return User.objects.create(username="ann", userid="007", email="ann@example.com")


@pytest.fixture
def boss(db: Any) -> User:
    return User.objects.create(username="boss", is_staff=True)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def order(client: Client, user: User, **body: Any) -> Any:
    given = {"username": user.username, "reason": "a letter", "now": True} | body
    return client.post(f"/api/v1/accounts/{user.userid}/erasure/", given, content_type=JSON)


def actions() -> list[str]:
    told = Waiting.objects.filter(action__regex="erasure|erased").order_by("id")
    return list(told.values_list("action", flat=True))


def test_an_erasure_waits_for_two_weeks_and_can_be_cancelled(ann: User, private: Path) -> None:
    client, late = recent(ann), recent(ann, seconds=301)
    token = {"Authorization": f"Token {Token.objects.create(ann)[1]}"}
    for stale in (late.post(f"{ME}erasure/", {"username": "ann"}, content_type=JSON),
                  Client().post(f"{ME}erasure/", {"username": "ann"}, JSON, headers=token),
                  Client().delete(f"{ME}erasure/", headers=token),
                  late.post(f"{ME}exports/")):  # fmt: skip
        assert code(stale) == (403, "reauthentication_required")
    assert code(client.get(f"{ME}erasure/")) == (404, "not_found")
    wrong = client.post(f"{ME}erasure/", {"username": "anna"}, content_type=JSON)
    assert code(wrong) == (400, "mismatch")
    answer = client.post(f"{ME}erasure/", {"username": "ann"}, content_type=JSON)
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled")
    again = client.post(f"{ME}erasure/", {"username": "ann"}, content_type=JSON)
    assert again.json() == answer.json() == client.get(f"{ME}erasure/").json()
    due = Erasure.objects.get().due_at
    assert abs(due - timezone.now() - timedelta(days=14)) < timedelta(minutes=1)
    mail = OutgoingMail.objects.get(recipient="ann@example.com")
    assert f"{due:%Y-%m-%d}" in mail.body
    assert "/accounts/data/" in mail.body
    erase_due()
    assert client.get(ME).status_code == 200, "It is too early."
    assert client.delete(f"{ME}erasure/").status_code == 204
    assert code(client.delete(f"{ME}erasure/")) == (404, "not_found")
    Erasure.objects.update(due_at=timezone.now())
    erase_due()
    assert User.objects.get(pk=ann.pk).username == "ann"
    # Another one may be scheduled, and is done when its time has come.
    client.post(f"{ME}erasure/", {"username": " ANN "}, content_type=JSON)
    Erasure.objects.filter(cancelled_at=None).update(due_at=timezone.now())
    erase_due()
    erased = User.objects.get(pk=ann.pk)
    assert re.fullmatch(r"erased-[0-9a-f-]{36}", erased.username)
    assert not erased.is_active
    assert client.get(ME).status_code == 401
    assert Erasure.objects.filter(done_at__isnull=False, work="").count() == 1
    assert actions() == [
        "erasure.scheduled", "erasure.cancelled", "erasure.scheduled", "account.erased",
    ]  # fmt: skip
    assert not outbox.outbox


def test_nobody_is_erased_by_less_and_an_admin_remains(
    ann: User, boss: User, private: Path
) -> None:
    helper = User.objects.create(username="helper", email="h@example.com")
    assert order(recent(helper), ann).status_code == 403
    admin = recent(boss)
    assert code(order(recent(boss, seconds=301), ann)) == (403, "reauthentication_required")
    chief = User.objects.create(username="chief", is_superuser=True, is_staff=True)
    assert code(order(admin, chief))[0] == 403, "Only superusers change superusers."
    User.objects.filter(pk=chief.pk).update(is_superuser=False, is_staff=False)
    assert code(order(admin, ann, username="bob")) == (400, "mismatch")
    assert code(order(admin, ann, reason="")) == (400, "blank")
    assert admin.post("/api/v1/accounts/nobody/erasure/", {
        "username": "x", "reason": "y"}, content_type=JSON).status_code == 404  # fmt: skip
    last = admin.post(f"{ME}erasure/", {"username": "boss"}, content_type=JSON)
    assert code(last) == (409, "last_admin")
    services.hold_place(actor=boss, account=ann, reason="a court")
    assert code(order(admin, ann)) == (409, "held")
    own = recent(ann).post(f"{ME}erasure/", {"username": "ann"}, content_type=JSON)
    assert code(own) == (409, "held")
    services.hold_release(actor=boss, account=ann)
    # A hold that comes later stops an erasure that is due, until it is released.
    assert order(admin, ann, now=False).json()["status"] == "scheduled"
    services.hold_place(actor=boss, account=ann, reason="a court")
    Erasure.objects.update(due_at=timezone.now())
    erase_due()
    erase_due()
    assert User.objects.get(pk=ann.pk).username == "ann"
    services.hold_release(actor=boss, account=ann)
    erase_due()
    assert User.objects.get(pk=ann.pk).username != "ann"
    # The last admin is not erased either, once the others have gone.
    other = User.objects.create(username="other", is_staff=True)
    assert recent(other).post(
        f"{ME}erasure/", {"username": "other"}, content_type=JSON
    ).status_code == 202  # fmt: skip
    User.objects.filter(pk=boss.pk).update(is_active=False)
    Erasure.objects.update(due_at=timezone.now())
    erase_due()
    assert User.objects.get(pk=other.pk).is_active


def test_rights_count_as_they_are_once_the_locks_are_held(
    ann: User, boss: User, private: Path
) -> None:
    """A request read its actor, and waited for another that took the actor's rights away."""
    User.objects.create(username="chief", is_staff=True)
    User.objects.filter(pk=boss.pk).update(is_staff=False)
    for write in (
        lambda: services.hold_place(actor=boss, account=ann, reason="a court"),
        lambda: services.hold_release(actor=boss, account=ann),
        lambda: services.erasure_order(
            actor=boss, userid=ann.userid, username="ann", reason="a letter", now=True
        ),
    ):
        with pytest.raises(Forbidden):
            write()
    User.objects.filter(pk=boss.pk).update(is_staff=True)
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    with pytest.raises(Forbidden):
        services.hold_place(actor=boss, account=ann, reason="a court")
    assert not actions()


def test_a_stale_save_brings_no_name_back(ann: User, boss: User, private: Path) -> None:
    """A request that read the account before its erasure saves it afterwards."""
    stale = User.objects.get(pk=ann.pk)
    assert order(recent(boss), ann).status_code == 202
    stale.set_password("orchid-lamp-43")
    with pytest.raises(AlreadyErased):
        stale.save()
    now = User.objects.get(pk=ann.pk)
    assert (now.is_active, now.email) == (False, "")
    assert "ann" not in (now.username, now.userid)
    assert not now.has_usable_password()


@pytest.mark.django_db(transaction=True)
def test_a_request_in_flight_leaves_nothing_about_somebody_who_is_erased(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has read the account, and waits with its write until the erasure has all its locks."""
    boss = User.objects.create(username="boss", is_superuser=True, is_staff=True)
    ann = User.objects.create(username="ann", email="ann@example.com", userid="007")
    team = Team.objects.create(name="tills")
    browser, trace = recent(ann), SessionTrace(lambda request: HttpResponse())
    request: Any = RequestFactory().get("/", HTTP_USER_AGENT="a browser of ann")

    def set_email() -> None:
        stale = User.objects.get(pk=ann.pk)
        began.wait(10)
        stale.email = "ann@example.com"
        stale.save(update_fields=["email"])

    def create(model: Any, **fields: Any) -> Callable[[], None]:
        def write() -> None:
            began.wait(10)
            model.objects.create(user=User.objects.get(pk=ann.pk), **fields)

        return write

    def sign_in() -> None:
        began.wait(10)
        trace._trace(request, "a-key", ann.pk)

    writes = [
        set_email, sign_in, create(EmailAddress, email="ann@example.com"),
        create(SocialAccount, provider="oidc", uid="ann"), create(Place, digest=b"d"),
        create(Authenticator, type="totp", data={}), create(Membership, team=team),
    ]  # fmt: skip
    began, refused = threading.Event(), list[str]()
    erase_rows = erasing._erase_rows

    def erase_late(subject: Any) -> None:
        erase_rows(subject)
        began.set()
        with connection.cursor() as cursor:
            # Until they all wait for the locks of this transaction.
            for _ in range(30):
                cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() == (len(writes),):
                    return
                time.sleep(0.05)
            raise AssertionError("They do not wait.")

    def alone(write: Callable[[], None]) -> None:
        try:
            write()
        except AlreadyErased:
            refused.append(getattr(write, "__name__", ""))
        finally:
            connection.close()

    monkeypatch.setattr(erasing, "_erase_rows", erase_late)
    with ThreadPoolExecutor(len(writes)) as threads:
        done = [threads.submit(alone, write) for write in writes]
        assert order(recent(boss), ann).status_code == 202
        for one in done:
            one.result()
    assert len(refused) == len(writes) - 1, "The trace of a session is only left out."
    rows = [model.objects.filter(user=ann.pk).count() for model in (
        EmailAddress, SocialAccount, Place, Authenticator, Membership, BrowserSession)]  # fmt: skip
    assert rows == [0] * 6
    assert User.objects.get(pk=ann.pk).email == ""
    assert browser.get(ME).status_code == 401


def test_the_names_are_free_again_after_a_year(ann: User, boss: User, private: Path) -> None:
    assert erased_names([("007", "ann")]) == set()
    order(recent(boss), ann)
    names = [("007", "x"), ("x", "Ann"), (None, "ANN"), ("007", None), ("008", "bob")]
    assert erased_names(names) == {0, 1, 2, 3}
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM personal_tombstone t")
        (text,) = cursor.fetchone() or ("",)
        assert "ann" not in text
    Tombstone.objects.update(until=timezone.now())
    assert erased_names(names) == set()


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_schedule_one_and_erase_once(private: Path) -> None:
    ann = User.objects.create(username="ann", email="ann@example.com")

    def at_once(work: Any) -> list[Any]:
        def alone(number: int) -> Any:
            try:
                return work()
            finally:
                connection.close()

        with ThreadPoolExecutor(10) as threads:
            return list(threads.map(alone, range(50)))

    rows = at_once(lambda: services.erasure_schedule(user=ann, username="ann").pk)
    assert len(set(rows)) == 1
    Erasure.objects.update(due_at=timezone.now())
    at_once(erase_due)
    assert actions() == ["erasure.scheduled", "account.erased"]
    lines = [path.read_text() for path in (private / "journal").iterdir()]
    assert "".join(lines).count('"erased"') == 1


def test_an_export_is_one_while_it_waits_and_gone_after_a_week(ann: User, private: Path) -> None:
    client = recent(ann)
    first = client.post(f"{ME}exports/", headers={"Idempotency-Key": "k"})
    assert first.status_code == 202, first.content
    assert first.json()["status"] == "queued"
    same = client.post(f"{ME}exports/", headers={"Idempotency-Key": "k"})
    assert (same.json()["id"], same["Idempotent-Replayed"]) == (first.json()["id"], "true")
    assert client.post(f"{ME}exports/").json()["id"] == first.json()["id"]
    path = f"{ME}exports/{first.json()['id']}/"
    assert code(client.get(f"{path}archive/")) == (409, "not_ready")
    token = {"Authorization": f"Token {Token.objects.create(ann)[1]}"}
    assert Client().get(path, headers=token).status_code == 200
    assert Client().get(f"{path}archive/", headers=token).status_code == 403
    stranger = recent(User.objects.create(username="bob"))
    assert stranger.get(path).status_code == stranger.get(f"{path}archive/").status_code == 404
    assert client.get(f"{ME}exports/x/").status_code == 404
    old = timezone.now() - timedelta(days=7)
    Document.objects.update(status="sent", rendered_at=old, file="a.zip")
    assert client.get(path).json()["status"] == "expired"
    assert code(client.get(f"{path}archive/")) == (410, "gone")
    for _ in range(4):
        assert client.post(f"{ME}exports/").status_code == 202
        Document.objects.update(status="sent")
    assert code(client.post(f"{ME}exports/")) == (429, "throttled")
    assert OutgoingMail.objects.count() == 5


def test_the_page_tells_exports_and_erases(ann: User, private: Path) -> None:
    client = recent(ann)
    page = client.get("/accounts/data/").content.decode()
    assert "Your purchases. They are the shop" in page
    assert "Your data" in page
    german = client.get("/accounts/data/", headers={"Accept-Language": "de"}).content.decode()
    assert "Konto löschen" in german
    assert client.post("/accounts/data/").status_code == 302
    assert "It is being collected" in client.get("/accounts/data/").content.decode()
    Document.objects.update(status="sent", rendered_at=timezone.now(), file="a.zip")
    assert "/archive/" in client.get("/accounts/data/").content.decode()
    wrong = client.post("/accounts/data/", {"username": "anna"})
    assert wrong.status_code == 400
    assert "not the account" in wrong.content.decode()
    asked = recent(ann, seconds=301).post("/accounts/data/", {"username": "ann"})
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not Erasure.objects.exists()
    assert client.post("/accounts/data/", {"username": "ann"}).status_code == 302
    assert "This account will be erased" in client.get("/accounts/data/").content.decode()
    assert recent(ann, seconds=301).post("/accounts/data/cancel/").status_code == 302
    assert Erasure.objects.get().cancelled_at is not None
    client.post("/accounts/data/cancel/")


def test_the_command_holds_and_releases(ann: User, boss: User, private: Path) -> None:
    for words in (["nobody", "--release"], ["007", "--release"], ["007", "--reason", "x" * 501]):
        with pytest.raises(CommandError):
            call_command("hold_account", *words)
    call_command("hold_account", "007", "--reason", "a court", stdout=StringIO())
    assert code(order(recent(boss), ann)) == (409, "held")
    call_command("hold_account", "007", "--release", stdout=StringIO())
    assert order(recent(boss), ann).status_code == 202


def test_nothing_is_erased_that_the_journal_cannot_tell_of(
    ann: User, boss: User, private: Path, settings: Any
) -> None:
    (private / "file").touch()
    settings.JOURNAL_DIR = private / "file" / "journal"
    answer = order(recent(boss), ann)
    assert (answer.status_code, answer["Retry-After"].isdigit()) == (503, True)
    erase_due()
    assert User.objects.get(pk=ann.pk).username == "ann"
    assert recent(ann).get(ME).status_code == 200
    settings.JOURNAL_DIR = private / "journal"
    Erasure.objects.update(next_attempt_at=timezone.now())
    erase_due()
    assert User.objects.get(pk=ann.pk).username != "ann"


def test_an_admin_erases_and_holds_on_the_page_of_the_person(
    ann: User, boss: User, private: Path
) -> None:
    admin, person = recent(boss), f"/people/accounts/{ann.userid}/"
    path = f"/people/erasing/{ann.userid}/"
    assert path in admin.get(person).content.decode()
    asked = {"action": "erase", "username": "ann", "reason": "a letter", "now": "true"}
    held = {"action": "hold", "reason": "a court in Ulm"}
    for late in (recent(boss, seconds=301).post(path, each) for each in (asked, held)):
        assert late["Location"].startswith("/accounts/reauthenticate/")
    chief = User.objects.create(username="chief", userid="1", is_superuser=True, is_staff=True)
    for client, url in ((recent(ann), path), (admin, "/people/erasing/1/")):
        assert client.get(url).status_code == client.post(url, held).status_code == 403
    # What is wrong is said where it was typed, and nothing happens.
    for wrong, said in (
        ({"username": "bob"}, "not the account&#x27;s username"),
        ({"reason": " "}, "may not be blank"),
        ({"reason": "x" * 501}, "no more than 500"),
        ({"action": "hold", "reason": ""}, "may not be blank"),
    ):
        answer = admin.post(path, asked | wrong)
        assert (answer.status_code, said in answer.content.decode()) == (400, True), wrong
    # A held account is shown, and no form asks for its erasure; a request for it is refused.
    assert admin.post(path, held)["Location"] == path
    for url in (person, path):
        assert "a court in Ulm" in admin.get(url).content.decode()
    assert 'name="username"' not in admin.get(path).content.decode()
    refused = admin.post(path, asked)
    assert (refused.status_code, "the law asks for it" in refused.content.decode()) == (409, True)
    assert "may be erased again" in admin.post(
        path, {"action": "release"}, follow=True
    ).content.decode()  # fmt: skip
    assert admin.post(path, {"action": "release"}).status_code == 404
    # In two weeks, and then rather now.
    assert admin.post(path, asked | {"now": ""})["Location"] == path
    assert "It will be erased on" in admin.get(person).content.decode()
    assert admin.post(path, asked)["Location"] == "/people/"
    assert re.fullmatch(r"erased-[0-9a-f-]{36}", User.objects.get(pk=ann.pk).username)
    assert admin.get(path).status_code == 404, "nobody has the userid any more"
    gone = User.objects.get(pk=ann.pk)
    over = admin.post(f"/people/erasing/{gone.userid}/", held)
    assert (over.status_code, "erased already" in over.content.decode()) == (409, True)
    assert actions() == ["erasure.scheduled", "account.erased"]
    assert list(
        Waiting.objects.filter(action__startswith="hold.").order_by("id").values_list("action")
    ) == [("hold.placed",), ("hold.released",)]
    assert User.objects.get(pk=chief.pk).username == "chief"
