"""A real OpenID Connect provider in a process of its own: allauth's, on SQLite.

A test says who is signed in there, what it claims of them, and which of its answers are nonsense.
``python -m tests.identity PORT`` runs it.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx

from tests.system import ROOT, free_port, wait_for

CLIENT_ID, CLIENT_SECRET = "shop", "a secret of the shop"


@dataclass
class IdentityProvider:
    """The provider as tests see it."""

    url: str
    _state: dict[str, Any] = field(default_factory=dict)

    def person(self, sub: str, /, **claims: Any) -> None:
        """Let this person be signed in, of whom the provider claims this. ``None`` is no claim."""
        self._tell(person=sub, claims={"email": None, "email_verified": None} | claims)

    def fail(self, path: str = "", **answer: Any) -> None:
        """Let requests below a path get an answer of ``status``, ``body`` or ``seconds``."""
        self._tell(faults={path: answer} if path else {})

    def reset(self) -> None:
        """Be well, with nobody signed in, and forget what was asked."""
        self._tell(person="", claims={}, faults={}, asked=[])

    @property
    def asked(self) -> list[str]:
        """Return the paths that were asked for since ``reset``."""
        found: list[str] = httpx.get(f"{self.url}/control").json()["asked"]
        return found

    def _tell(self, **state: Any) -> None:
        httpx.post(f"{self.url}/control", json=state).raise_for_status()

    def authorize(self, url: str) -> str:
        """Follow a redirect to the provider, as a browser does. Return where it leads back."""
        answer = httpx.get(url)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


@contextlib.contextmanager
def providing(*, redirects: list[str]) -> Iterator[IdentityProvider]:
    """Run the provider, which leads back to these addresses only."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.identity", str(port), *redirects],
        cwd=ROOT,
    )
    provider = IdentityProvider(f"http://127.0.0.1:{port}")
    try:
        wait_for(lambda: _answers(provider.url), 30)
        yield provider
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/control").status_code == 200
    return False


# --- What follows runs in the provider's own process -----------------------------------------

STATE: dict[str, Any] = {"person": "", "claims": {}, "faults": {}, "asked": []}


def _configure(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.configure(
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "provider",
                "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            f"{__name__}.controlled",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            f"{__name__}.signed_in",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
        # The client's secret is checked with each token.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        IDP_OIDC_ADAPTER=f"{__name__}.Claims",
        IDP_OIDC_PRIVATE_KEY=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        USE_TZ=True,
        LOGGING={
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
        },
    )


def controlled(get_response: Any) -> Any:
    """Answer ``/control``, and give the answers that a test wants to be wrong."""
    from django.http import HttpResponse, JsonResponse

    def middleware(request: Any) -> Any:
        if request.path == "/control":
            if request.method == "POST":
                STATE.update(json.loads(request.body))
            return JsonResponse(STATE)
        STATE["asked"].append(request.path)
        for path, fault in STATE["faults"].items():
            if request.path.endswith(path):
                # A server that closes with something unread breaks the connection.
                len(request.body)
                time.sleep(fault.get("seconds", 0))
                answer = HttpResponse(fault.get("body", ""), fault.get("type", "application/json"))
                answer.status_code = fault.get("status", 200)
                if "location" in fault:
                    answer["Location"] = fault["location"]
                return answer
        return get_response(request)

    return middleware


def signed_in(get_response: Any) -> Any:
    """Let the person of the test be signed in."""
    from django.contrib.auth.models import User

    def middleware(request: Any) -> Any:
        if STATE["person"]:
            request.user = User.objects.get_or_create(username=STATE["person"])[0]
        return get_response(request)

    return middleware


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        from django.urls import include, path

        return [path("", include("allauth.idp.urls"))]
    if name == "Claims":
        from allauth.idp.oidc.adapter import DefaultOIDCAdapter

        class Claims(DefaultOIDCAdapter):
            def get_user_sub(self, client: Any, user: Any) -> str:
                return str(user.username)

            def get_user_by_sub(self, client: Any, sub: str) -> Any:
                from django.contrib.auth.models import User

                return User.objects.filter(username=sub).first()

            def populate_id_token(self, id_token: Any, client: Any, scopes: Any, **_: Any) -> None:
                for claim, value in STATE["claims"].items():
                    id_token[claim] = value
                    if value is None:
                        del id_token[claim]

        return Claims
    raise AttributeError(name)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(port: int, redirects: list[str]) -> None:
    """Serve until killed."""
    from socketserver import ThreadingMixIn

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    with tempfile.TemporaryDirectory() as folder:
        _configure(Path(folder))
        import django

        django.setup()
        from allauth.idp.oidc.models import Client
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application

        call_command("migrate", verbosity=0)
        client = Client(id=CLIENT_ID, name="Shop", skip_consent=True)
        client.set_secret(CLIENT_SECRET)
        client.set_redirect_uris(redirects)
        client.set_scopes(["openid", "profile", "email"])
        client.save()
        make_server(
            "127.0.0.1", port, get_wsgi_application(), server_class=Server, handler_class=_Quiet
        ).serve_forever()


if __name__ == "__main__":
    # Django imports this module by its name, so its state must be that of the same module.
    from tests import identity

    identity.main(int(sys.argv[1]), sys.argv[2:])
