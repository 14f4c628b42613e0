"""The headers that browsers get, and requests that another site makes."""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from websockets.asyncio.client import connect

from accounts.mailing import mails_send
from shop.core.apps import cookieless_paths
from tests.access import PASSWORD
from tests.limits import forget_limits
from tests.security.forms import sign_up_form
from tests.sessions import Browser
from tests.system import ROOT, System
from tests.world import ROUTES, World, world

__all__ = ["world"]
HTML = "text/html"


@pytest.mark.parametrize("actor", ["anonymous", "owner", "admin"])
def test_every_page_says_what_a_browser_may_do_with_it(world: World, actor: str) -> None:
    client = world.client(actor, api=False)
    pages = 0
    for route, path in world.paths.items():
        if route in ("accounts/logout/", "admin/logout/"):
            continue
        response = client.get(path)
        assert response["X-Content-Type-Options"] == "nosniff", path
        assert response["X-Frame-Options"] == "DENY", path
        # The pages of strangers do not even tell the site itself.
        wanted = ("same-origin", "no-referrer") if path.startswith("/q/") else ("same-origin",)
        assert response["Referrer-Policy"] in wanted, path
        assert response["Cross-Origin-Opener-Policy"] == "same-origin", path
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy, path
        assert "script-src 'self'" in policy
        if response["Content-Type"].startswith(HTML):
            pages += 1
            text = response.content.decode()
            # The policy would block inline scripts. That there are none shows that nothing needs
            # them.
            assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", text)
            assert not re.search(r"\son(?:click|load|error|submit)=", text), path
            assert not re.search(r"(?:src|href)=\"(?:https?:)?//(?!localhost|testserver)", text)
    assert pages > 10


PRODUCTION = """
import django, json, os
django.setup()
from django.conf import settings
# Collecting and compressing the static files takes long and is not what is looked at.
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage")
from django.test import Client
client = Client(headers={"host": "shop.example"})
plain = client.get("/accounts/login/")
page = client.get("/accounts/login/", secure=True)
forwarded = client.get("/accounts/login/", headers={"x-forwarded-proto": "https"})
evil = client.get("/accounts/login/", secure=True, headers={"host": "evil.example"})
forged = client.get("/", secure=True, headers={"x-forwarded-host": "evil.example"})
print(json.dumps({
    "plain": [plain.status_code, plain.get("Location")],
    "hsts": page["Strict-Transport-Security"],
    "forwarded": forwarded.status_code,
    "evil": evil.status_code,
    "forged": b"evil.example" in forged.content,
    "csrf": page.cookies["csrftoken"].OutputString(),
    "session": [settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY,
                settings.SESSION_COOKIE_SAMESITE],
    "debug": settings.DEBUG,
}))
"""


def test_production_speaks_https_only_and_keeps_its_cookies_there(tmp_path: Path) -> None:
    environment = os.environ | {
        "ENVIRONMENT": "production",
        "PASSWORD_HASH_KIB": "102400",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "DJANGO_SECRET_KEY": uuid.uuid4().hex * 2,
        "DATA_KEYS": "k1:" + "A" * 43 + "=",
        "SECRET_EMAIL_USER": "shop",
        "SECRET_EMAIL_USER_PSWD": uuid.uuid4().hex,
        "ALLOWED_HOSTS": "shop.example",
        "STATIC_ROOT": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTION], cwd=ROOT, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["plain"] == [301, "https://shop.example/accounts/login/"]
    assert seen["hsts"] == "max-age=31536000; includeSubDomains; preload"
    # A request counts as secure only if a trusted proxy says so; see `shop.core.addresses`.
    assert (seen["forwarded"], seen["evil"], seen["forged"]) == (301, 400, False)
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(seen["csrf"].split("; "))
    assert seen["session"] == [True, True, "Lax"]
    assert seen["debug"] is False


# These read no session, so another site gains nothing by sending them.
NO_SESSION = {
    "api/v1/accounts/",
    "api/v1/auth/token/",
    "api/v1/auth/jwt/",
    "api/v1/auth/jwt/refresh/",
    "api/v1/auth/jwt/revoke/",
    # The provider signs what it sends.
    "api/v1/billing/webhooks/<str:provider>/",
    "admin/login/",
    "admin/password_change/",
    "accounts/password/set/",
}
NO_WRITE = {"healthz", "^scalable-shop-cm-server/healthz", "livez", "readyz", "metrics"}


def test_no_session_writes_without_its_csrf_token(world: World) -> None:
    for route, path in world.paths.items():
        before = world.state()
        client = Client(enforce_csrf_checks=True)
        client.cookies["sessionid"] = world.sessions["admin"]
        status = client.post(path, {}, headers={"origin": "https://evil.example"}).status_code
        assert world.state() == before, path
        if path.startswith(cookieless_paths()):
            # No cookie is read there, so another site gains nothing by sending one.
            assert status in {204, 400, 401, 403, 404, 405, 415}, path
            continue
        allowed = {302, 400, 415, 429} if route in NO_SESSION else {200, 503}
        assert status in ({403, 405} | (allowed if route in NO_SESSION | NO_WRITE else set())), path


@pytest.mark.system
async def test_a_socket_with_a_cookie_must_come_from_our_own_pages(system: System) -> None:
    forget_limits(system)
    browser = Browser(system)
    browser.sign_in("joe", "demo-joe")
    name = f"sessionid_{system.port}"
    cookie = f"{name}={browser.http.cookies[name]}"
    browser.http.close()
    for origin, expected in (
        (system.url, "hello"),
        ("https://evil.example", 4401),
        (f"{system.url}.evil.example", 4401),
        (f"http://127.0.0.1:{system.port + 1}", 4401),
        ("null", 4401),
        (None, 4401),
    ):
        headers = {"Cookie": cookie} | ({"Origin": origin} if origin else {})
        async with connect(system.ws_url, additional_headers=headers) as ws:
            if expected == "hello":
                assert json.loads(await ws.recv())["type"] == "hello"
            else:
                await ws.wait_closed()
                assert ws.close_code == expected, origin


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "\t//x.y"],
)
def test_nobody_is_redirected_to_another_site(world: World, target: str) -> None:
    for path, form in (
        ("/accounts/login/", {"login": "other", "password": PASSWORD}),
        ("/accounts/signup/", sign_up_form("new")),
    ):
        response = Client().post(f"{path}?next={target}", form | {"next": target})
        assert response.status_code == 302
        assert response["Location"] == "/"
    client = world.client("other", api=False)
    response = client.post(f"/accounts/logout/?next={target}", {"next": target})
    assert response["Location"] == "/"
    door = Client().get(f"/admin/login/?next={target}", follow=True)
    response = Client().post(
        door.request["PATH_INFO"] + "?" + door.request["QUERY_STRING"],
        {"login": "admin", "password": PASSWORD, "next": target},
    )
    assert response["Location"] in ("/dashboard/", "/admin/")


def test_a_host_that_is_not_ours_is_refused(world: World) -> None:
    for host in ("evil.example", "testserver.evil.example", "testserver@evil.example"):
        for path in ("/", "/accounts/password/reset/", "/api/v1/accounts/me/"):
            response = Client(headers={"host": host}).get(path)
            assert response.status_code == 400, host
            assert b"evil" not in response.content
    form = {"email": "owner@example.com"}
    # Even our own hosts must not appear in a mail, because links begin with SITE_URL.
    headers = {"host": "localhost:2002", "x-forwarded-host": "evil.example"}
    Client(headers=headers).post("/accounts/password/reset/", form)
    mails_send()
    (reset,) = mail.outbox
    for wrong in ("evil.example", "testserver", ":2002"):
        assert wrong not in str(reset.message())
    assert settings.SITE_URL in str(reset.message())


@pytest.mark.system
def test_the_running_site_tells_nothing_about_itself(system: System) -> None:
    for path in ("/", "/nothing/", "/api/v1/nothing/", "/static/nothing.css", "/healthz"):
        with httpx.Client(base_url=system.url) as client:
            response = client.get(path)
        assert "server" not in response.headers, path
        assert "x-powered-by" not in response.headers
        for word in ("Traceback", "django", "uvicorn", str(system.data_dir)):
            assert word.lower() not in response.text.lower(), (path, word)
    for path in ("/.env", "/.git/config", "/static/../manage.py", "/var/", "/reports/owner.pdf"):
        assert system.request("GET", path).status in (400, 404), path


@pytest.mark.system
def test_routes_are_those_of_the_table(system: System) -> None:
    """Only static files and the feed are served outside the URL configuration."""
    assert system.request("GET", "/ws/purchases/").status == 404
    assert not [route for route in ROUTES if route.startswith("ws")]
