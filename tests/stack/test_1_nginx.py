"""nginx in front: ports, TLS, caching, limits and logs.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.stack.shared import nginx_log, project
from tests.stack.stack import (
    HOST,
    OPEN_FILES,
    Stack,
    docker,
    inspect,
    wait_for,
)


def test_nothing_but_nginx_publishes_a_port(stack: Stack):
    words = ["ps", "--filter", f"label=com.docker.compose.project={project(stack)}"]
    lines = docker(*words, "--format", "{{.Names}} {{.Ports}}").splitlines()
    assert len(lines) >= 8
    assert [line.split()[0] for line in lines if "->" in line] == [
        line.split()[0] for line in lines if "nginx" in line.split()[0]
    ]


def test_no_process_of_ours_is_root_or_can_write_to_its_image(stack: Stack):
    for service in ("web", "live", "relay", "follower", "worker", "beat"):
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
    # A certificate without its key, as during a replacement, changes nothing.
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
    # Each has the id of its own request, even if its body came from the cache.
    identities = [answer.headers.get_list("X-Request-ID") for answer in answers]
    assert len({identity for (identity,) in identities}) == 3
    lines = wait_for(lambda: documentation_lines(stack, [one for (one,) in identities]), 5)
    assert "HIT" in [line["cache"] for line in lines]


def documentation_lines(stack: Stack, identities: list[str]) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in nginx_log(stack)]
    found = [line for line in lines if line["request_id"] in identities]
    return found if len(found) == len(identities) else []


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
    # The API refuses in its own shape.
    with stack.client() as client:
        answer = wait_for(lambda: throttled(client.get("/api/v1/auth/token/")))
        assert answer.json()["type"] == "client_error"
        assert answer.json()["errors"][0]["code"] == "throttled"
        assert answer.headers["Retry-After"]
    time.sleep(2)


def throttled(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 429 else None
