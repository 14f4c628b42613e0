"""Keys are replaced beside the running site, by the steps of docs/operations.md."""

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management import call_command

from accounts.models import User
from tests.system import free_port
from tests.web import serving

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "orchid-lamp-42"
SECOND = ("k2", b"k" * 32)
OLD, NEW = "old-" * 20, "new-" * 20


def _steps(k1: str, k2: str) -> list[dict[str, str]]:
    """Return what the processes of each deploy have; those of two neighbours run side by side."""
    return [
        {"DATA_KEYS": k1, "DJANGO_SECRET_KEY": OLD},
        {"DATA_KEYS": f"{k1},{k2}", "DJANGO_SECRET_KEY": OLD, "DJANGO_SECRET_KEY_FALLBACKS": NEW},
        {"DATA_KEYS": f"{k2},{k1}", "DJANGO_SECRET_KEY": NEW, "DJANGO_SECRET_KEY_FALLBACKS": OLD},
        {"DATA_KEYS": k2, "DJANGO_SECRET_KEY": NEW},
    ]


class Browser:
    """The cookies of one browser, which any process of the site gets."""

    def __init__(self, name: str) -> None:
        self.cookies: dict[str, str] = {}
        self.name = name

    def ask(self, site: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        """Get a page, or send the form that is on it."""
        if form is not None:
            page = self.ask(site, path).text
            found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
            assert found, page
            form = form | {"csrfmiddlewaretoken": found[1]}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = httpx.request(
            "GET" if form is None else "POST",
            site + path,
            data=form,
            headers={"Cookie": cookie} if cookie else {},
            timeout=30,
        )
        for line in answer.headers.get_list("Set-Cookie"):
            name, value = line.partition(";")[0].split("=", 1)
            self.cookies[name] = value.strip('"')
        return answer

    def sign_in(self, site: str) -> None:
        answer = self.ask(site, "/accounts/login/", {"login": self.name, "password": PASSWORD})
        assert answer.status_code == 302, answer.text

    def is_signed_in(self, sites: list[str]) -> bool:
        """Return whether the answers to many requests at once all are the account's."""
        with ThreadPoolExecutor(8) as pool:
            paths = [sites[at % len(sites)] for at in range(24)]
            answers = list(pool.map(lambda site: self.ask(site, "/api/v1/accounts/me/"), paths))
        return {answer.status_code for answer in answers} == {200}


def _code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def _post(site: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{site}/api/v1/auth/{path}", json=body, timeout=30)


def _account(name: str) -> User:
    user = User.objects.create(username=name, email=f"{name}@example.com")
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def _with_app(name: str, site: str) -> str:
    """Make an account with an authenticator app, by the pages. Return the app's secret."""
    _account(name)
    browser = Browser(name)
    browser.sign_in(site)
    page = browser.ask(site, "/accounts/2fa/totp/activate/").text
    found = re.search(r"secret=([A-Z2-7]{32})", page)
    assert found
    browser.ask(site, "/accounts/2fa/totp/activate/", {"code": _code(found[1])})
    return found[1]


def _signs_in(name: str, secret: str, site: str) -> bool:
    # The code of this half minute may have been used; that it is used once is tried elsewhere.
    for factor in Authenticator.objects.filter(user__username=name, type=Authenticator.Type.TOTP):
        Authenticator.objects.filter(pk=factor.pk).update(data=factor.data | {"step": 0})
    body = {"username": name, "password": PASSWORD, "code": _code(secret)}
    return _post(site, "token/", body).status_code == 200


@pytest.fixture
def sites() -> Iterator[Any]:
    """Begin to serve with the keys of a step, on the same cookies and links; end the one before."""
    port = str(free_port())
    running: list[tuple[str, ExitStack]] = []

    def next_step(keys: dict[str, str]) -> list[str]:
        if len(running) == 2:
            running.pop(0)[1].close()
        at, stack = free_port(), ExitStack()
        stack.enter_context(serving(at, PORT=port, SITE_URL=f"http://localhost:{port}", **keys))
        running.append((f"http://127.0.0.1:{at}", stack))
        return [url for url, _ in running]

    yield next_step
    for _, stack in running:
        stack.close()


def test_nobody_is_signed_out_and_nothing_sealed_is_lost(sites: Any, settings: Any) -> None:
    _account("joe")
    old = Browser("joe")
    grant: dict[str, Any] = {}
    apps: dict[str, str] = {}
    ((id, key),) = settings.DATA_KEYS.items()
    k1, k2 = (f"{name}:{base64.b64encode(text).decode()}" for name, text in ((id, key), SECOND))
    for step, keys in enumerate(_steps(k1, k2)):
        served = sites(keys)
        if not step:
            old.sign_in(served[0])
            grant = _post(served[0], "jwt/", {"username": "joe", "password": PASSWORD}).json()
        before = dict(old.cookies)
        assert old.is_signed_in(served), step
        assert old.cookies == before, "The session goes on under its id."
        # What each process seals, the other one reads.
        for number, site in enumerate(served):
            apps[f"app{step}{number}"] = _with_app(f"app{step}{number}", site)
        for number, (name, secret) in enumerate(reversed(apps.items())):
            assert _signs_in(name, secret, served[number % len(served)]), (step, name)
        for site in served:
            answer = _post(site, "jwt/refresh/", {"refresh": grant["refresh"]})
            assert answer.status_code == 200, (step, answer.text)
            grant = answer.json()
        if step == 2:
            settings.DATA_KEYS = dict([SECOND, (id, key)])
            call_command("rotate_data_keys")
