"""Which headers count for the address of a client."""

import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from shop.core.addresses import client_address, forwarded

PROXY, CDN, ALICE = "10.0.0.2", "192.0.2.10", "203.0.113.7"


@pytest.fixture(autouse=True)
def _proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = tuple(
        map(ip_network, ("10.0.0.0/30", "192.0.2.0/24", "fd00::/8", "127.0.0.1/32"))
    )


@pytest.mark.parametrize(
    ("peer", "given", "expected"),
    [
        (ALICE, [], ALICE),
        (ALICE, ["1.1.1.1"], ALICE),
        (PROXY, [], PROXY),
        (PROXY, [ALICE], ALICE),
        (PROXY, [f"1.1.1.1, {ALICE}"], ALICE),
        (PROXY, [f"1.1.1.1, {ALICE}, {CDN}"], ALICE),
        (PROXY, ["1.1.1.1", ALICE, CDN], ALICE),
        (PROXY, [f"{CDN}, {CDN}"], CDN),
        (PROXY, [f"{ALICE}:5678"], ALICE),
        (PROXY, ["[2001:db8::1]:5678"], "2001:db8::1"),
        (PROXY, ["2001:DB8:0::1"], "2001:db8::1"),
        (PROXY, [f"::ffff:{ALICE}"], ALICE),
        (f"::ffff:{PROXY}", [ALICE], ALICE),
        ("fd00::1", ["fe80::1%eth0"], "fe80::1"),
        (PROXY, [f'"{ALICE}"'], ALICE),
        (PROXY, ["unknown"], PROXY),
        (PROXY, [f"x, {CDN}"], CDN),
        (PROXY, ["", " , ,"], PROXY),
        (PROXY, ["999.1.1.1"], PROXY),
        (PROXY, ["\x00\xff"], PROXY),
        (PROXY, ["1.1.1.1," * 5000 + ALICE], ALICE),
        (f"::ffff:{ALICE}", [], ALICE),
        ("", [ALICE], ""),
        ("nonsense", [ALICE], "nonsense"),
    ],
)
def test_client_address(peer: str, given: list[str], expected: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in given]
    assert client_address(headers, peer) == expected


@pytest.mark.parametrize(
    ("peer", "proto", "chain", "expected"),
    [
        (ALICE, "https", "", "http"),
        (PROXY, "https", "", "https"),
        (PROXY, "HTTPS", ALICE, "https"),
        (PROXY, "https, http", f"{ALICE}, {CDN}", "https"),
        (PROXY, "https, http", ALICE, "http"),
        (PROXY, "https", f"{ALICE}, {CDN}", "https"),
        (PROXY, "gopher", ALICE, "http"),
        (PROXY, "", ALICE, "http"),
    ],
)
def test_the_scheme(peer: str, proto: str, chain: str, expected: str) -> None:
    headers = [
        (b"x-forwarded-proto", proto.encode()),
        (b"x-forwarded-for", chain.encode()),
        (b"x-forwarded-host", b"evil.example"),
        (b"host", b"shop.example"),
    ]
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": headers}
    seen = forwarded(scope)
    assert seen["scheme"] == expected
    assert seen["headers"] == [(b"host", b"shop.example")]
    socket = forwarded(scope | {"type": "websocket", "scheme": "ws"})
    assert socket["scheme"] == expected.replace("http", "ws")


def test_a_scope_without_a_client() -> None:
    seen = forwarded({"type": "http", "scheme": "http", "client": None, "headers": []})
    assert seen["client"] == ("", 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"NUM_PROXIES": "2"}, "NUM_PROXIES is no longer read"),
        ({"TRUSTED_PROXIES": "nginx"}, "TRUSTED_PROXIES must be IP addresses or networks"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8, ::1", "NUM_PROXIES": "2"}, ""),
        ({"NUM_PROXIES": "0"}, ""),
    ],
)
def test_the_setting(given: dict[str, str], said: str) -> None:
    code = "import shop.settings; print(len(shop.settings.TRUSTED_PROXIES))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(settings.BASE_DIR),
        env={"ENVIRONMENT": "development"} | given,
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) is (not said)
    assert said in done.stderr
