"""The stack as the outside world meets it. The tests run in their order: each finds what the ones
before it left, as a stack that has been used does."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.stack.stack import (
    HOST,
    OPEN_FILES,
    ROOT,
    Follower,
    Load,
    Stack,
    Upload,
    checkout_with,
    docker,
    everything_watched,
    inspect,
    wait_for,
)

BUY = {"username": "joe", "userid": "005", "price": "2.50"}


def buy(client: httpx.Client, item: str, path: str = "/api/v1/purchases/") -> httpx.Response:
    answer = client.post(path, json=BUY | {"item": item})
    assert answer.status_code == 201, answer.text
    return answer


# --- nginx ----------------------------------------


def test_nothing_but_nginx_publishes_a_port(stack: Stack):
    words = ["ps", "--filter", f"label=com.docker.compose.project={project(stack)}"]
    lines = docker(*words, "--format", "{{.Names}} {{.Ports}}").splitlines()
    assert len(lines) >= 8
    assert [line.split()[0] for line in lines if "->" in line] == [
        line.split()[0] for line in lines if "nginx" in line.split()[0]
    ]


def project(stack: Stack) -> str:
    return stack.environment["COMPOSE_PROJECT_NAME"]


def test_no_process_of_ours_is_root_or_can_write_to_its_image(stack: Stack):
    for service in ("web", "live", "relay", "worker", "beat"):
        container = stack.containers(service)[0]
        assert docker("exec", container, "id", "-u").strip() == "10001"
        assert inspect(container, "{{.HostConfig.ReadonlyRootfs}}") == "true"
        names = inspect(container, "{{range .Config.Env}}{{println .}}{{end}}")
        assert "POSTGRES_PASSWORD=" not in names.replace("POSTGRES_APP_PASSWORD=", "")


@pytest.mark.parametrize("service", ["web", "live", "nginx", "valkey"])
def test_many_files_may_be_open(stack: Stack, service: str):
    container = stack.containers(service)[0]
    assert docker("exec", container, "sh", "-c", "ulimit -n").strip() == str(OPEN_FILES)


def test_plain_http_is_sent_to_https(stack: Stack):
    for host in (HOST, "evil.example", f"{HOST}:81"):
        answer = httpx.get(
            f"http://127.0.0.1:{stack.http_port}/purchases/?a=b", headers={"Host": host}, timeout=10
        )
        assert answer.status_code == 308
        assert answer.headers["Location"] == f"https://{HOST}:{stack.https_port}/purchases/?a=b"


def test_a_proof_for_a_certificate_authority_is_served_in_plain_http(stack: Stack):
    given = Path(inspect_certificates(stack))
    folder = given / "acme" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("proof")
    answer = httpx.get(
        f"http://127.0.0.1:{stack.http_port}/.well-known/acme-challenge/token", timeout=10
    )
    assert answer.text == "proof"


def inspect_certificates(stack: Stack) -> str:
    text = stack.env_file.read_text()
    return next(line for line in text.splitlines() if "CERTIFICATES_DIR=" in line).split("=")[1]


def test_a_mounted_certificate_is_taken_over_without_a_restart(stack: Stack):
    given = Path(inspect_certificates(stack))
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj"]
    words += [f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    for name in ("first", "other"):
        (given / name).mkdir()
        files = ["-out", str(given / name / "cert"), "-keyout", str(given / name / "key")]
        subprocess.run([*words, *files], check=True, capture_output=True)
    reload = ["exec", stack.containers("nginx")[0], "sh", "/etc/nginx/templates/reload.sh"]
    # A certificate without its key, as while they are being replaced, changes nothing.
    shutil.copy(given / "other" / "cert", given / "fullchain.pem")
    shutil.copy(given / "first" / "key", given / "privkey.pem")
    docker(*reload)
    context = ssl.create_default_context(cafile=str(given / "first" / "cert"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(stack, context)
    shutil.copy(given / "first" / "cert", given / "fullchain.pem")
    docker(*reload)
    wait_for(lambda: trusted(stack, context), 10)


def trusted(stack: Stack, context: ssl.SSLContext) -> bool:
    try:
        return bool(shake_hands(stack, context))
    except ssl.SSLCertVerificationError:
        return False


def shake_hands(stack: Stack, context: ssl.SSLContext) -> tuple[str, str, int] | None:
    with (
        socket.create_connection(("127.0.0.1", stack.https_port), 10) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as connection,
    ):
        return connection.cipher()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(stack: Stack, version: ssl.TLSVersion):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    cipher = shake_hands(stack, context)
    assert cipher
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


def test_old_tls_is_refused(stack: Stack):
    for version in ("tls1", "tls1_1"):
        answer = subprocess.run(
            [
                *("openssl", "s_client", f"-{version}", "-cipher", "DEFAULT:@SECLEVEL=0"),
                *("-connect", f"127.0.0.1:{stack.https_port}"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert answer.returncode != 0


def test_healthz_and_the_pages(stack: Stack):
    with stack.client() as client:
        health = client.get("/healthz")
        assert (health.status_code, health.text) == (200, "Success")
        assert "max-age=31536000" in health.headers["Strict-Transport-Security"]
        assert len(health.headers.get_list("Strict-Transport-Security")) == 1
        assert client.get("/").status_code == 200
        for path in ("/metrics", "/readyz"):
            assert client.get(path).status_code == 404
    backend = f"http://127.0.0.1:{stack.backend_port}"
    assert httpx.get(f"{backend}/healthz", timeout=10).text == "Success"
    assert httpx.get(f"{backend}/metrics", timeout=10).status_code == 404


SCRAPE = """
import socket, urllib.request
for service in ("web", "live"):
    found = {entry[4][0] for entry in socket.getaddrinfo(service, 8000, socket.AF_INET)}
    for host in (service, *found):
        text = urllib.request.urlopen(f"http://{host}:8000/metrics", timeout=10).read().decode()
        print(service, len(found), "shop_http_requests_total" in text)
"""


def test_each_replica_can_be_scraped_from_inside(stack: Stack):
    said = docker("exec", stack.containers("relay")[0], "python", "-c", SCRAPE)
    assert said.splitlines() == ["web 1 True", "web 1 True", "live 1 True", "live 1 True"]


def test_static_files_are_kept_for_long_and_compressed(stack: Stack):
    with stack.client() as client:
        page = client.get("/").text
        path = next(part for part in page.split('"') if part.endswith(".css"))
        answer = client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Encoding"] == "gzip"
        assert client.get("/static/nothing.css").status_code == 404


def test_the_documentation_is_cached_briefly(stack: Stack):
    with stack.client() as client:
        answers = [client.get("/documentation/openapi.json") for _ in range(3)]
    for answer in answers:
        assert answer.json()["openapi"]
        assert len(answer.headers.get_list("Strict-Transport-Security")) == 1
    # Each has the id of its own request, also where the answer is that of another.
    identities = [answer.headers.get_list("X-Request-ID") for answer in answers]
    assert len({identity for (identity,) in identities}) == 3
    lines = wait_for(lambda: documentation_lines(stack, [one for (one,) in identities]), 5)
    assert "HIT" in [line["cache"] for line in lines]


def documentation_lines(stack: Stack, identities: list[str]) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in nginx_log(stack)]
    found = [line for line in lines if line["request_id"] in identities]
    return found if len(found) == len(identities) else []


def nginx_log(stack: Stack) -> list[str]:
    finished = subprocess.run(
        ["docker", "logs", "--tail", "500", stack.containers("nginx")[0]],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return [line for line in finished.stdout.splitlines() if line.startswith("{")]


def test_the_access_log_knows_the_request_id_and_the_time_of_the_replica(stack: Stack):
    with stack.client() as client:
        identity = client.get("/api/v1/purchases/").headers["X-Request-ID"]
    line = wait_for(
        lambda: next((json.loads(one) for one in nginx_log(stack) if identity in one), None)
    )
    assert line["status"] == 401
    assert float(line["upstream_seconds"]) >= 0


def test_what_is_too_large_is_refused_as_json(stack: Stack):
    with stack.client("joe") as client:
        answer = client.post("/api/v1/purchases/", content=b" " * 1_100_000)
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["code"] == "payload_too_large"
        answer = client.post("/buy", content=b" " * 1_100_000)
        assert answer.status_code == 413
        assert answer.json()["status"] == "Error"


def test_guessing_is_slowed_down(stack: Stack):
    codes = []

    def ask() -> None:
        with stack.client() as client:
            codes.append(client.get("/accounts/login/").status_code)

    threads = [threading.Thread(target=ask) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {200, 429}
    # The API says it in its own words.
    with stack.client() as client:
        answer = wait_for(lambda: throttled(client.get("/api/v1/auth/token/")))
        assert answer.json()["type"] == "client_error"
        assert answer.json()["errors"][0]["code"] == "throttled"
        assert answer.headers["Retry-After"]
    time.sleep(2)


def throttled(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 429 else None


# --- what it is for ----------------------------------------


def test_a_purchase_reaches_the_ledger_and_the_feed(stack: Stack):
    with Follower(stack, "joe", "scope=mine") as follower, stack.client("joe") as client:
        item = stack.item()
        buy(client, item)
        wait_for(lambda: item in follower.items, 10)
        answer = client.post(
            "/buy",
            json=BUY | {"timestamp": "2024-05-31T15:54:32.204Z"},
        )
        assert answer.status_code == 200
        again = client.post("/buy", json=BUY | {"timestamp": "2024-05-31T15:54:32.204Z"})
        assert again.json()["_id"] == answer.json()["_id"]
        assert len(client.get("/getAllUserBuys/joe").json()["purchases"]) == 2
        events = client.get("/api/v1/events/?after=0").json()
        assert len(events["events"]) == 2
    # The port of the backend takes the same, in plain HTTP.
    answer = httpx.get(
        f"http://127.0.0.1:{stack.backend_port}/api/v1/purchases/",
        headers={"Authorization": f"Token {stack.token('joe')}"},
        timeout=10,
    )
    assert len(answer.json()["results"]) == 2


def test_a_statement_is_mailed(stack: Stack):
    with stack.client("joe") as client:
        asked = client.post(
            "/api/v1/reports/",
            json={"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"},
        )
        assert asked.status_code == 202, asked.text
        path = f"/api/v1/reports/{asked.json()['id']}/"
        wait_for(lambda: client.get(path).json()["status"] == "sent", 90)
        pdf = client.get(f"{path}pdf/").content
    (mail,) = stack.mails()
    assert mail["To"] == "joe@shop.test"
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content() == pdf
    assert pdf.startswith(b"%PDF")


def test_without_a_replica_the_api_answers_502_as_json(stack: Stack):
    container = stack.containers("web")[0]
    docker("stop", container)
    try:
        with stack.client("joe") as client:
            # For a second nginx may still know the address, where nobody is: that is a 504.
            answer = client.get("/api/v1/purchases/")
            assert answer.status_code in (502, 504)
            assert answer.json()["type"] == "server_error"
            wait_for(lambda: client.get("/api/v1/purchases/").status_code == 502, 10)
            answer = client.get("/api/v1/purchases/")
            assert answer.json() == {
                "type": "server_error",
                "errors": [
                    {
                        "code": "bad_gateway",
                        "detail": "The service does not answer. Try again later.",
                        "attr": None,
                    }
                ],
            }
            assert answer.headers["Retry-After"]
            assert client.get("/purchases/").headers["Content-Type"].startswith("text/html")
            # Purchases go to other processes, which are there.
            buy(client, stack.item())
    finally:
        docker("start", container)
    wait_for(lambda: stack.healthy("web", 1), 60)


def test_a_replica_that_hangs_is_answered_for_with_504_as_json(stack: Stack):
    container = stack.containers("web")[0]
    docker("pause", container)
    try:
        with stack.client("joe", timeout=90) as client:
            answer = client.get("/api/v1/purchases/")
            assert answer.status_code == 504
            assert answer.json()["errors"][0]["code"] == "gateway_timeout"
            assert answer.headers["X-Request-ID"]
    finally:
        docker("unpause", container)
    wait_for(lambda: stack.healthy("web", 1), 60)


# --- more than one of everything ----------------------------------------


def test_more_of_everything(stack: Stack):
    stack.scale(web=3, live=2, worker=3, relay=2)
    with stack.client("joe") as client:
        wait_for(lambda: {client.get("/livez").status_code for _ in range(20)} == {200}, 20)
        time.sleep(2)
        for _ in range(60):
            client.get("/livez")
    answered = {json.loads(line)["upstream"] for line in nginx_log(stack)[-60:]}
    assert len(answered) == 3


def test_the_feed_is_whole_across_processes(stack: Stack):
    followers = [Follower(stack) for _ in range(6)]
    for follower in followers:
        follower.__enter__()
    items = []
    with stack.client("till") as client:
        for _ in range(200):
            items.append(stack.item())
            buy(client, items[-1])
    for follower in followers:
        wait_for(lambda: set(items) <= set(follower.items), 20)  # noqa: B023
        follower.check_order()
        follower.__exit__()
    assert len({tuple(event["position"] for event in one.events) for one in followers}) == 1
    lines = [json.loads(line) for line in nginx_log(stack)]
    # Both live processes served sockets and took purchases.
    taken = {line["upstream"] for line in lines if line["method"] == "POST"}
    assert len(taken) >= 2


def test_the_other_relay_takes_over_within_five_seconds(stack: Stack):
    leader = wait_for(stack.leading_relay, 10)
    with Follower(stack) as follower, stack.client("till") as client:
        # Killed by the engine, which does not start it again: the other one has to do it.
        docker("kill", leader)
        killed = time.monotonic()
        item = stack.item()
        buy(client, item)
        wait_for(lambda: item in follower.items, 5)
        print(f"events again after {time.monotonic() - killed:.2f} s")
        assert stack.leading_relay() not in ("", leader)
        follower.check_order()
    docker("start", leader)
    wait_for(lambda: stack.healthy("relay", 2), 60)


def test_killed_processes_come_back_and_nothing_is_lost(stack: Stack):
    followers = [Follower(stack) for _ in range(4)]
    for follower in followers:
        follower.__enter__()
    loads = [Load(stack, number) for number in range(3)]
    for load in loads:
        load.start()
    for service in ("live", "web", "worker", "relay"):
        container = stack.containers(service)[0]
        count = len(stack.containers(service))
        stack.kill(container)
        wait_for(lambda: stack.healthy(service, count), 60)  # noqa: B023
    for load in loads:
        load.stopping.set()
        load.join(40)
    bought = {item for load in loads for item in load.bought}
    assert len(bought) > 20
    for follower in followers:
        wait_for(lambda: bought <= set(follower.items), 20)  # noqa: B023
        follower.check_order()
        follower.__exit__()
    assert docker("inspect", "--format", "{{.RestartCount}}", container).strip() == "1"


def test_no_report_is_mailed_twice(stack: Stack):
    before = len(stack.mails())
    with stack.client("ann") as client:
        asked = [
            client.post(
                "/api/v1/reports/",
                json={"kind": "statement", "since": f"2024-0{month}-01", "until": "2024-12-31"},
            ).json()["id"]
            for month in range(1, 8)
        ]
        for one in asked:
            path = f"/api/v1/reports/{one}/"
            wait_for(lambda: client.get(path).json()["status"] == "sent", 90)  # noqa: B023
    time.sleep(5)
    assert len(stack.mails()) == before + len(asked)


# --- deploy, backup, restore ----------------------------------------


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
    """Try to deploy; return what was said when it failed and nothing had been replaced."""
    before = {service: stack.containers(service) for service in ("web", "live", "relay", "worker")}
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
    """With other pages and a migration, under load, and with more than one of everything."""
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
                # What the version before has begun it may end, and that may take minutes.
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
    # What Compose would do now is nothing: it knows the containers as its own.
    before = set(stack.containers("web"))
    stack.compose("up", "-d", "--no-deps", "--scale", "web=3", "web")
    assert set(stack.containers("web")) == before


@pytest.mark.parametrize(
    ("file", "code", "reason"),
    [
        ("shop/asgi.py", 'sys.exit("broken on purpose")', "broken on purpose"),
        # It lives, and cannot reach its database.
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
    # Not one socket was closed.
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
    for service in ("relay", "worker"):
        assert stack.healthy(service, 1)


def refused_restore(stack: Stack, backup: Path) -> str:
    """Try to restore; return what was said when it failed."""
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
        # It happens after the backup, and is given a position that nobody may get again.
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
    stack.sql("TRUNCATE accounts_user CASCADE")
    # One that breaks in the middle can be repeated.
    refused_restore(stack, with_half_a_dump(backup, tmp_path))
    stack.make_target("restore", "--file", str(backup))
    assert stack.totals() == totals
    with stack.client("joe") as client:
        assert client.get(f"/api/v1/reports/{report}/pdf/").content == pdf
        with Follower(stack, "joe", f"scope=mine&after={lost}") as follower:
            item = stack.item()
            buy(client, item)
            wait_for(lambda: item in follower.items, 10)
            assert follower.events[0]["position"] > lost
            assert len(follower.events) == 1
    # The gap that the restore has made is none to worry about.
    words = ["run", "--rm", "--no-deps", "-T", "worker", "python", "manage.py", "verify_ledger"]
    assert "All 8 checks hold." in stack.compose(*words)


# --- secrets ----------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PASSWORD", "change-me"),
        ("POSTGRES_APP_PASSWORD", ""),
        ("VALKEY_PASSWORD", ""),
        ("DJANGO_SECRET_KEY", "change-me-to-50-or-more-random-characters"),
        ("SECRET_EMAIL_USER_PSWD", ""),
    ],
)
def test_a_missing_or_an_example_secret_stops_the_start(
    stack: Stack, tmp_path: Path, name: str, value: str
):
    lines = stack.env_file.read_text().splitlines()
    text = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
    (tmp_path / "bad.env").write_text("\n".join(text) + "\n")
    environment = stack.environment | {
        "ENV_FILE": str(tmp_path / "bad.env"),
        "COMPOSE_PROJECT_NAME": f"{project(stack)}-secrets",
        "FRONT_NETWORK": "172.31.224",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.stack", "up", "--no-build"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    try:
        assert finished.returncode == 1
        assert f"manage.py: {name} " in finished.stderr
        assert "Traceback" not in finished.stderr
        words = [
            "ps",
            "-aq",
            "--filter",
            f"label=com.docker.compose.project={project(stack)}-secrets",
        ]
        assert docker(*words) == ""
    finally:
        stack.environment, kept = environment, stack.environment
        try:
            stack.remove()
        finally:
            stack.environment = kept


def test_secrets_can_be_files(stack: Stack, tmp_path: Path):
    """`make env SECRETS=files` in a checkout of its own, and what comes of it."""
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/make_env.py", ".env.example"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "deploy/make_env.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "SECRETS": "files"},
        check=True,
    )
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    environment = {
        name: value for name, value in stack.environment.items() if "SECRET" not in name
    } | {
        "ENV_FILE": str(tmp_path / ".env"),
        "COMPOSE_FILE": "docker-compose.yml:docker-compose.secrets.yml",
        "COMPOSE_PROJECT_NAME": f"{project(stack)}-files",
        "SECRETS_DIR": str(folder),
        "IMAGE": "shop-stack-test",
        "OPEN_FILES": str(OPEN_FILES),
        "FRONT_NETWORK": "172.31.224",
    }
    stack.environment, kept = environment, stack.environment
    stack.env_file, kept_file = tmp_path / ".env", stack.env_file
    try:
        stack.compose("up", "-d", "relay", "worker")
        wait_for(lambda: stack.healthy("relay", 1) and stack.healthy("worker", 1), 60)
        shown = inspect(stack.containers("relay")[0], "{{.Config.Env}}")
        for secret in folder.iterdir():
            value = secret.read_text().strip()
            assert not value or value == "shop" or value not in shown
    finally:
        stack.remove()
        stack.environment, stack.env_file = kept, kept_file
