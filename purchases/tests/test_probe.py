"""The probe: it passes at a site that works, and names the step that fails."""

import json
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from purchases.probe import Account, Probe
from tests.system import ROOT, System

STEPS = ["reach", "sign_in", "listen", "buy", "see", "read", "sign_out"]


def test_the_probe_buys_sees_and_reads(system: System) -> None:
    token = system.token("joe")
    before = len(_tokens(system, token))
    steps = list(_probe(system.url).steps())
    assert [step.name for step in steps if not step.error] == STEPS
    assert all(0 < step.seconds < 10 for step in steps)
    # It signs out, and what it buys costs nothing.
    assert len(_tokens(system, token)) == before
    bought = system.request("GET", "/api/v1/purchases/?item=probe", token=token).json()
    assert bought["results"][0]["total"] == "0.00"
    assert [step.name for step in _probe(system.url, token=token).steps()] == STEPS[:-1]


def _tokens(system: System, token: str) -> list[Any]:
    answer = system.request("GET", "/api/v1/accounts/me/sessions/", token=token)
    found: list[Any] = answer.json()["results"] if answer.status == 200 else []
    return found


def _probe(url: str, token: str = "") -> Probe:
    return Probe(url, Account("joe", "demo-joe", token), seconds=10, item="probe")


def test_a_step_that_fails_ends_the_probe_with_1(system: System) -> None:
    wrong = Probe(system.url, Account("joe", "wrong"), seconds=10, item="probe")
    *_, last = wrong.steps()
    assert (last.name, "401" in last.error or "400" in last.error) == ("sign_in", True)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    command = [sys.executable, "manage.py", "probe", url, "--json"]
    # No server of ours is asked: neither PostgreSQL nor Valkey is there.
    environment = {
        "ENVIRONMENT": "development",
        "PROBE_USERNAME": "joe",
        "PROBE_PASSWORD": "demo-joe",
        "PATH": "",
    }
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1, ended.stderr
    told = json.loads(ended.stdout)
    assert told["ok"] is False
    assert [step["step"] for step in told["steps"]] == ["reach"]
    assert "reach failed" in ended.stderr


@pytest.mark.parametrize("said", [b"{}", b"[]", b'{"token": 5}', b"<html>"])
def test_a_site_that_answers_nonsense_fails_a_step(said: bytes) -> None:
    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Nonsense)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        steps = list(_probe(f"http://127.0.0.1:{server.server_port}").steps())
    finally:
        server.shutdown()
        server.server_close()
    assert any(step.error for step in steps)
