"""On the running site, what was written to stderr is found soon, by the id of its request."""

import uuid
from http.client import HTTPConnection

from tests.system import System, wait_for


def test_a_line_is_found_by_the_id_of_its_request_within_seconds(system: System) -> None:
    staff, request_id = system.token("staff"), uuid.uuid4().hex
    start = system.request("GET", "/api/v1/logs/tail/?wait=0", token=staff).json()["after"]
    name = f"canary{request_id[:8]}"
    body = {"username": name, "email": f"{name}@example.com", "password": "orchid-lamp-42"}
    answer = system.request("POST", "/api/v1/accounts/", body, X_Request_ID=request_id)
    assert answer.status == 201, answer.body
    assert answer.headers["X-Request-ID"] == request_id

    def found() -> list[dict[str, object]]:
        path = f"/api/v1/logs/?request_id={request_id}"
        return list(system.request("GET", path, token=staff).json()["results"])

    lines = wait_for(found)
    assert {line["part"] for line in lines} == {"web"}
    assert "account.created" in {line["event"] for line in lines}
    assert "orchid-lamp" not in str(lines)
    # A tail waits for it, and holds no thread meanwhile.
    path = f"/api/v1/logs/tail/?after={start}&request_id={request_id}&wait=20"
    tail = system.request("GET", path, token=staff).json()
    assert {line["request_id"] for line in tail["results"]} == {request_id}


def test_no_line_of_a_server_has_a_secret(system: System) -> None:
    before, mark = system.log.stat().st_size, uuid.uuid4().hex[:12]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for path in (f"/ws/purchases/?ticket={mark}", f"/ws/events/?token={mark}"):
        socket = HTTPConnection("127.0.0.1", system.port)
        socket.request("GET", path, headers=upgrade)
        assert socket.getresponse().status == 101
        socket.close()
    system.request("GET", f"/nothing/?q={mark}", Authorization=f"Basic {mark}")
    system.request("GET", "/", Host=f"joe:{mark}@shop.example")

    def written() -> str:
        return system.log.read_bytes()[before:].decode()

    wait_for(lambda: "Invalid HTTP_HOST" in written())
    # The server of ASGI writes its lines by our handler, too.
    assert "WebSocket /ws/events/?token=[redacted]" in written()
    assert mark not in written()
