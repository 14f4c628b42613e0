"""Requests reach no inside address by any spelling, and no receiver holds them for long."""

import asyncio
import datetime
import gzip
import ipaddress
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from webhooks import outgoing
from webhooks.addresses import NotPublic, URLNotAllowed, check, parse, permitted
from webhooks.models import Endpoint
from webhooks.outgoing import ANSWER_MAX, Outcome, send
from webhooks.tests.conftest import Api
from webhooks.tests.receiver import Got, Receiver

INSIDE = """
    127.0.0.1 127.1 127.0.0.1. 0x7f000001 0x7f.1 2130706433 017700000001 0 0.0.0.0 10.0.0.1
    172.16.5.4 192.168.1.1 100.64.0.1 169.254.169.254 192.0.2.1 198.18.0.1 224.0.0.1
    192.0.0.192 192.0.0.9 192.88.99.1 168.63.129.16 [64:ff9b::a83f:8110] [3fff::1] [5f00::1]
    240.0.0.1 255.255.255.255 [::1] [::] [::ffff:10.0.0.1] [::ffff:7f00:1]
    [64:ff9b::10.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [2002:7f00:1::]
    [2001:0:0:0:0:0:f5ff:fffe] [fc00::1] [fe80::1] [fec0::1] [ff02::1] localhost localhost.
    LOCALHOST x.localhost printer printer.local db.internal metadata.google.internal
    metadata.google.internal. router.lan 1.0.0.127.in-addr.arpa
""".split()  # noqa: SIM905
MALFORMED = """
    https://user@example.com/ https://a:b@example.com/ https://example.com@10.0.0.1/
    https:// https://exa%6dple.com/ https://example.com:0/ https://example.com:99999/
    https://example.com\\@x/ ftp://example.com/ file:///etc/passwd javascript:alert(1)
    gopher://example.com/ //example.com/ https://ｅxample.com/ https://１２７.0.0.1/
    https://example.com/#part https://[::1%25eth0]/ https://-x.com/ https://example.com:22/
    https://example.com:25/ http://93.184.215.14/ https://[::1/
""".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def _nothing_allowed(settings: Any) -> None:
    settings.WEBHOOK_ALLOW = ()


@pytest.fixture
def loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOW = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.django_db
def test_no_webhook_leads_inside_by_any_spelling(joe: Api, settings: Any) -> None:
    urls = [f"https://{host}/" for host in INSIDE] + MALFORMED
    urls += [
        "https://example.com/\r\nX: 1",
        "https://example.com/ x",
        "https://example.com/" + "x" * 2000,
    ]
    for url in urls:
        body = {"url": url, "events": ["purchase.recorded"]}
        answer = joe("POST", "webhooks/", body)
        assert answer.status_code == 400, url
        codes = [error["code"] for error in answer.json()["errors"]]
        # The field itself refuses control characters, and what is too long.
        assert codes == ["url_not_allowed"] or url in urls[-3:], (url, codes)
    assert not Endpoint.objects.exists()
    made = joe.hook("https://93.184.215.14:8443/x?y=1")
    answer = joe("PATCH", f"webhooks/{made['id']}/", {"url": "https://10.0.0.1/"})
    assert answer.json()["errors"][0]["code"] == "url_not_allowed"
    # A LAN that the site allows is reached, by HTTP as well; nothing else is.
    settings.WEBHOOK_ALLOW = (ipaddress.ip_network("10.0.0.0/8"),)
    for url in ("http://10.0.0.1/", "http://10.0.0.1:81/", "https://[::ffff:10.0.0.1]/"):
        check(url)
    for url in ("http://192.168.1.1/", "https://[64:ff9b::c0a8:1]/"):
        with pytest.raises(URLNotAllowed):
            check(url)


def test_a_name_is_looked_up_for_each_request_and_only_the_checked_address_is_asked(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, loopback: None
) -> None:
    port = parse(receiver.url).port
    looked_up: list[Any] = []
    real = socket.getaddrinfo
    places = ["127.0.0.1"]

    def flip(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "flips.example.com":
            return real(host, *args, **kwargs)
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", flip)
    outcome = _send(f"http://flips.example.com:{port}/hook")
    assert outcome.is_taken
    assert looked_up == ["flips.example.com"]
    assert receiver.got[0].headers["host"] == f"flips.example.com:{port}"
    # One inside address among others is enough to refuse.
    places[:] = ["127.0.0.1", "10.0.0.1"]
    assert _send(f"http://flips.example.com:{port}/hook").error == "address_not_allowed"
    places[:] = ["169.254.169.254"]
    assert _send("https://flips.example.com/").error == "address_not_allowed"
    assert len(receiver.got) == 1
    public, inside = map(ipaddress.ip_address, ("93.184.215.14", "10.0.0.1"))
    with pytest.raises(NotPublic):
        permitted(parse("https://example.com/"), [public, inside])


def test_no_proxy_of_the_environment_and_no_redirect_is_followed(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, loopback: None
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def redirect(got: Got, handler: Any) -> None:
        handler.send_response(int(got.path[1:]))
        handler.send_header("Location", receiver.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answer = redirect
    for status in (301, 302, 303, 307, 308):
        outcome = _send(receiver.url.replace("hook", str(status)))
        assert (outcome.status, outcome.is_taken) == (status, False)
    assert len(receiver.got) == 5


def test_answers_that_never_end_or_are_too_large_end_the_attempt(
    receiver: Receiver, loopback: None
) -> None:
    ok = b"HTTP/1.1 200 OK\r\n"
    chunk = b"2000\r\n" + b"x" * 8192 + b"\r\n"
    endless = {
        "a gigabyte": (ok + b"Content-Length: 1000000000\r\n\r\n", b"x" * 8192, "answer_too_large"),
        "chunks": (ok + b"Transfer-Encoding: chunked\r\n\r\n", chunk, "answer_too_large"),
        "headers": (ok, b"X-More: " + b"x" * 8000 + b"\r\n", "answer_too_large"),
        "a line": (b"HTTP/1.1 200 ", b"O" * 8192, "answer_too_large"),
        "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 300, "answer_too_large"),
    }  # fmt: skip
    for name, (start, part, error) in endless.items():

        def flood(got: Got, handler: Any, start: bytes = start, part: bytes = part) -> None:
            handler.close_connection = True
            handler.wfile.write(start)
            for _ in range(10_000):
                handler.wfile.write(part)

        receiver.answer = flood
        outcome = _send(receiver.url)
        assert (outcome.error, outcome.is_taken) == (error, False), name
        assert len(outcome.response_start) <= 1000

    def drip(got: Got, handler: Any) -> None:
        handler.close_connection = True
        for byte in ok * 100:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    receiver.answer = drip
    begun = time.monotonic()
    assert _send(receiver.url, seconds=0.5).error == "timeout"
    assert time.monotonic() - begun < 2
    assert outgoing.SECONDS == 15
    assert ANSWER_MAX == 65_536


def test_what_is_no_answer_is_a_failed_attempt(receiver: Receiver, loopback: None) -> None:
    bomb = gzip.compress(b"x" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    said = {
        b"": "no_answer",
        b"220 smtp.example.com ESMTP\r\n": "malformed_answer",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc": "broken_off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab": "broken_off",
        b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n": "malformed_answer",
        b"HTTP/1.1 200 OK\r\n\r\nto the end": "",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n": "",
        head % len(bomb) + bomb: "",
    }  # fmt: skip
    for answer, error in said.items():

        def say(got: Got, handler: Any, answer: bytes = answer) -> None:
            handler.close_connection = True
            handler.wfile.write(answer)

        receiver.answer = say
        outcome = _send(receiver.url)
        assert (outcome.error, outcome.is_taken) == (error, not error), answer
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    assert _send(f"http://127.0.0.1:{port}/").error == "not_reached"
    assert _send("https://nobody.invalid/").error == "not_reached"


def test_tls_is_checked_by_name_at_the_address_that_was_looked_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loopback: None
) -> None:
    file = _certificate(tmp_path, "hooks.example.com")
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **kwargs: real(
            "127.0.0.1" if str(host).endswith(".example.com") else host, *args, **kwargs
        ),
    )

    async def ask(name: str) -> Outcome:
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        settings.load_cert_chain(file)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=settings)
        port = server.sockets[0].getsockname()[1]
        try:
            return await send(parse(f"https://{name}:{port}/"), headers={}, body=b"{}")
        finally:
            server.close()

    assert asyncio.run(ask("hooks.example.com")).error == "tls_failed"
    trusting = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(outgoing, "tls", lambda: trusting)
    assert asyncio.run(ask("hooks.example.com")).is_taken
    assert asyncio.run(ask("other.example.com")).error == "tls_failed"


def _send(url: str, seconds: float = 10) -> Outcome:
    return asyncio.run(send(parse(url), headers={"webhook-id": "1"}, body=b"{}", seconds=seconds))


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
