"""Deploy, backup and restore, and what they refuse.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import os
import re
import signal
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests.stack.clients import Follower, Upload, everything_watched
from tests.stack.shared import buy
from tests.stack.stack import ROOT, Stack, checkout_with, wait_for

MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("purchases", "{last}")]
    operations = [migrations.RunSQL("ALTER TABLE purchases_purchase ADD COLUMN note text")]
"""
UPLOAD_SECONDS = 35.0
SAFE = """    safe_because = {0: "A column that may be null is added without a look at the rows."}
"""
NOTES = (
    "SELECT count(*) FROM information_schema.columns"
    " WHERE table_name = 'purchases_purchase' AND column_name = 'note'"
)


def next_migration(text: str) -> dict[str, str]:
    last = max(path.stem for path in (ROOT / "purchases" / "migrations").glob("0*.py"))
    name = f"purchases/migrations/{int(last[:4]) + 1:04}_note.py"
    return {name: text.format(last=last)}


def refused_deploy(stack: Stack, checkout: Path) -> str:
    """Try to deploy. Return the output; the deploy must fail and replace nothing."""
    before = {
        service: stack.containers(service)
        for service in ("web", "live", "relay", "follower", "worker")
    }
    target = stack.start_target("deploy", checkout=checkout)
    said, _ = target.communicate(timeout=300)
    assert target.returncode == 1, said
    assert "Traceback" not in said
    assert {service: stack.containers(service) for service in before} == before
    return said


def test_a_migration_that_the_running_version_may_not_survive_is_refused(
    stack: Stack, tmp_path: Path
):
    said = refused_deploy(stack, checkout_with(tmp_path / "next", next_migration(MIGRATION)))
    assert "SQL cannot be judged here" in said
    assert "Nothing was changed." in said
    assert stack.sql(NOTES) == "0"


def test_a_deploy_of_a_new_version_is_noticed_by_nobody(stack: Stack, tmp_path: Path):
    """Deploy other pages and a migration, under load, with several replicas of everything."""
    base = (ROOT / "templates" / "base.html").read_text()
    checkout = checkout_with(
        tmp_path / "next",
        {
            **{name: text + SAFE for name, text in next_migration(MIGRATION).items()},
            "templates/base.html": base.replace("</body>", "<!-- the next version --></body>"),
        },
    )
    old = {service: set(stack.containers(service)) for service in ("web", "live", "relay")}
    started = time.monotonic()
    with everything_watched(stack, loads=4, followers=4) as watch:
        upload = Upload(stack)
        upload.start()
        target = stack.start_target("deploy", checkout=checkout)
        assert target.stdout
        for line in target.stdout:
            print(f"{time.monotonic() - started:.0f} s: {line}", end="")
            if "New requests go to" in line:
                # The version before may finish what it has begun, which may take minutes.
                timer = threading.Timer(UPLOAD_SECONDS, upload.end)
                timer.start()
        target.stdout.close()
        assert target.wait() == 0
        seconds = time.monotonic() - started
        timer.join()
    answer = upload.end()
    assert answer.status_code == 200, answer.text
    assert answer.json()["recorded"] == len(upload.items)
    done = sum(load.done for load in watch.loads)
    print(f"{done} requests in {seconds:.0f} s of a deploy, none failed")
    for follower in watch.followers:
        assert set(follower.codes) == {1012}
        print(f"a socket got {follower.codes} and missed nothing")
    for service, ids in old.items():
        now = stack.containers(service)
        assert len(now) == len(ids)
        assert not ids & set(now)
    with stack.client() as client:
        assert "<!-- the next version -->" in client.get("/").text
    assert stack.sql(NOTES) == "1"
    # Compose has nothing to do now, because it knows the containers as its own.
    before = set(stack.containers("web"))
    stack.compose("up", "-d", "--no-deps", "--scale", f"web={len(before)}", "web")
    assert set(stack.containers("web")) == before


@pytest.mark.parametrize(
    ("file", "code", "reason"),
    [
        ("shop/asgi.py", 'sys.exit("broken on purpose")', "broken on purpose"),
        # It is alive, but cannot reach its database.
        (
            "shop/settings.py",
            'if env.text("APPLICATION_NAME", "") == "live":\n'
            '    DATABASES["default"]["HOST"] = "nowhere"',
            "is not ready. http /readyz: no",
        ),
    ],
    ids=["dies", "without a database"],
)
def test_a_version_that_cannot_serve_is_taken_back(
    stack: Stack, tmp_path: Path, file: str, code: str, reason: str
):
    stack.scale(web=1, live=1, worker=1, relay=1)
    broken = f"{(ROOT / file).read_text()}\n{code}\n"
    with everything_watched(stack) as watch:
        said = refused_deploy(stack, checkout_with(tmp_path / "broken", {file: broken}))
    assert "the old ones serve on" in said
    assert reason in said
    # No socket was closed.
    assert [follower.codes for follower in watch.followers] == [[], [], []]


@pytest.mark.parametrize("moment", ["Started live 1 of 1.", "Drained web 1 of 1."])
def test_a_deploy_that_was_cut_off_is_healed_by_the_next(stack: Stack, moment: str):
    before = {service: set(stack.containers(service)) for service in ("web", "live")}
    with everything_watched(stack):
        target = stack.start_target("deploy")
        assert target.stdout
        said = []
        for line in target.stdout:
            said.append(line)
            if moment in line:
                os.killpg(target.pid, signal.SIGKILL)
                break
        target.wait()
        target.stdout.close()
        assert moment in said[-1], said
        stack.make_target("deploy")
    for service, ids in before.items():
        now = stack.containers(service)
        assert len(now) == 1
        assert not ids & set(now)
    for service in ("relay", "follower", "worker"):
        assert stack.healthy(service, 1)


def refused_restore(stack: Stack, backup: Path) -> str:
    """Try to restore. Return the output; the restore must fail."""
    target = stack.start_target("restore", "--file", str(backup))
    said, _ = target.communicate(timeout=300)
    assert target.returncode == 1, said
    assert "Traceback" not in said
    return said


def with_half_a_dump(backup: Path, folder: Path) -> Path:
    broken = folder / "broken.tar"
    with tarfile.open(backup) as source, tarfile.open(broken, "w") as target:
        for member in source:
            file = source.extractfile(member)
            assert file
            if member.name == "database.dump":
                member.size //= 2
            target.addfile(member, file)
    return broken


def test_a_backup_goes_into_an_empty_stack(stack: Stack, tmp_path: Path):
    stack.make_target("backup", "--folder", str(stack.backups))
    (backup,) = stack.backups.glob("*.tar")
    assert backup.stat().st_mode & 0o777 == 0o600
    totals = stack.totals()
    with stack.client("joe") as client:
        report = client.get("/api/v1/reports/").json()["results"][0]["id"]
        pdf = client.get(f"/api/v1/reports/{report}/pdf/").content
        # This purchase is newer than the backup, and no other may get its position.
        with Follower(stack, "joe", "scope=mine") as follower:
            buy(client, stack.item())
            wait_for(lambda: follower.events, 10)
        lost = follower.events[0]["position"]
        assert "this has purchases" in refused_restore(stack, backup)
        assert client.get("/healthz").text == "Success"
    stack.remove()
    stack.make_target("up")
    stack.make_accounts()
    assert "this has accounts" in refused_restore(stack, backup)
    with stack.client() as client:
        assert client.get("/healthz").text == "Success"
    # Triggers refuse to empty what is only added, but for a replica.
    stack.sql("SET session_replication_role = replica; TRUNCATE accounts_user CASCADE")
    # Another version may have a view where the backup has a table, and tables of its own.
    for change in (
        "ALTER TABLE purchases_upload RENAME TO purchases_body",
        "CREATE VIEW purchases_upload AS SELECT * FROM purchases_body",
    ):
        stack.sql(change)
    # A restore that breaks in the middle can be repeated.
    refused_restore(stack, with_half_a_dump(backup, tmp_path))
    stack.make_target("restore", "--file", str(backup))
    assert stack.totals() == totals
    assert stack.sql("SELECT to_regclass('purchases_body')") == ""
    with stack.client("joe") as client:
        assert client.get(f"/api/v1/reports/{report}/pdf/").content == pdf
        with Follower(stack, "joe", f"scope=mine&after={lost}") as follower:
            item = stack.item()
            buy(client, item)
            wait_for(lambda: item in follower.items, 10)
            assert follower.events[0]["position"] > lost
            assert len(follower.events) == 1
            bought = follower.events[0]["purchase"]["id"]
    # A number that was given out after the backup is on paper, so numbers begin anew.
    with stack.client("staff") as client:
        path = "/api/v1/billing/invoices/"
        # The tests before have let joe buy more than one invoice holds.
        answer = client.post(path, json={"username": "joe", "purchases": [bought]})
        assert answer.status_code == 201, answer.text
        issued = client.post(f"{path}{answer.json()['id']}/issue/", json={})
        assert issued.status_code == 200, issued.text
    assert re.fullmatch(r"INV-\d{4}-R1-0*1", issued.json()["number"])
    # The gap that the restore has made is no fault of the log.
    for command in ("verify_ledger", "verify_billing", "verify_quizzes", "verify_audit"):
        said = stack.compose("exec", "-T", "worker", "python", "manage.py", command)
        assert command != "verify_ledger" or re.search(r"^All \d+ checks hold\.$", said, re.M)
