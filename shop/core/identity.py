"""The providers that people may sign in with, as the environment names them.

``GOOGLE_CLIENT_ID`` and ``GOOGLE_CLIENT_SECRET`` are Google. Any other OpenID Connect provider is
``OIDC_<NAME>_…``, with the names in ``_PARTS``. A provider that is configured by halves stops the
start.
"""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from shop.core import env

GOOGLE = "google"
GOOGLE_ISSUER = "https://accounts.google.com"
SCOPES = ("openid", "profile", "email")

_PARTS = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "LABEL", "SCOPES", "ORIGINS")
_VARIABLE = re.compile(rf"OIDC_([A-Z0-9]+(?:_[A-Z0-9]+)*?)_({'|'.join(_PARTS)})(?:_FILE)?")


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider: ``id`` is in its URLs and rows, ``origins`` are those of its sign-in pages."""

    id: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = SCOPES
    origins: tuple[str, ...] = ()


def identity_providers(*, development: bool) -> list[IdentityProvider]:
    """Return the providers, Google first. Raise ``ImproperlyConfigured`` for half of one."""
    found = [google] if (google := _google()) else []
    names = set()
    for variable in os.environ:
        if not variable.startswith("OIDC_") or not os.environ[variable].strip():
            continue
        match = _VARIABLE.fullmatch(variable)
        if match is None:
            known = ", ".join(f"OIDC_<NAME>_{part}" for part in _PARTS)
            raise ImproperlyConfigured(f"{variable} is none of {known}.")
        names.add(match[1])
    found += [_openid(name, development=development) for name in sorted(names)]
    ids = [provider.id for provider in found]
    if repeated := {id for id in ids if ids.count(id) > 1}:
        raise ImproperlyConfigured(f"Two providers are called {min(repeated)!r}.")
    return found


def _google() -> IdentityProvider | None:
    client_id = env.text("GOOGLE_CLIENT_ID", "")
    secret = env.secret("GOOGLE_CLIENT_SECRET", optional=True)
    if not client_id and not secret:
        return None
    if not client_id or not secret:
        missing = "GOOGLE_CLIENT_SECRET" if client_id else "GOOGLE_CLIENT_ID"
        raise ImproperlyConfigured(f"{missing} is not set, but the other half of Google is.")
    origins = (origin_of(GOOGLE_ISSUER),)
    return IdentityProvider(GOOGLE, "Google", GOOGLE_ISSUER, client_id, secret, origins=origins)


def _openid(name: str, *, development: bool) -> IdentityProvider:
    start = f"OIDC_{name}_"
    issuer = env.text(start + "ISSUER")
    check_url(start + "ISSUER", issuer, development=development)
    if (id := name.lower().replace("_", "-")) == GOOGLE:
        raise ImproperlyConfigured("Google has variables of its own: GOOGLE_CLIENT_ID, ….")
    scopes = env.text(start + "SCOPES", " ".join(SCOPES)).split()
    if "openid" not in scopes:
        raise ImproperlyConfigured(f"{start}SCOPES must hold openid.")
    origins = [origin_of(issuer)]
    for origin in env.words(start + "ORIGINS"):
        check_url(start + "ORIGINS", origin, development=development)
        if origin != origin_of(origin):
            raise ImproperlyConfigured(f"{start}ORIGINS must be origins; {origin!r} has a path.")
        origins.append(origin)
    return IdentityProvider(
        id=id,
        label=env.text(start + "LABEL", name.replace("_", " ").title())[:40],
        issuer=issuer,
        client_id=env.text(start + "CLIENT_ID"),
        client_secret=env.secret(start + "CLIENT_SECRET"),
        scopes=tuple(scopes),
        origins=tuple(dict.fromkeys(origins)),
    )


def check_url(variable: str, url: str, *, development: bool) -> None:
    """Raise ``ImproperlyConfigured`` for what is no HTTPS address. Development takes HTTP, too."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "https" or (development and parts.scheme == "http")
        plain = not (parts.query or parts.fragment or parts.username) and parts.port != 0
    except ValueError:
        known = plain = False
    # Its origin becomes part of a header.
    if not (known and plain and re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc)):
        raise ImproperlyConfigured(f"{variable} must be an https:// address, not {url!r}.")


def origin_of(url: str) -> str:
    """Return the scheme, host and port of a URL, as browsers write an origin."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def allauth_settings(providers: list[IdentityProvider]) -> dict[str, object]:
    """Return the setting ``SOCIALACCOUNT_PROVIDERS`` of allauth."""
    return {
        "openid_connect": {
            "provider_class": "accounts.providers.openid.Provider",
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": provider.id,
                    "name": provider.label,
                    "client_id": provider.client_id,
                    "secret": provider.client_secret,
                    "settings": {
                        "server_url": provider.issuer,
                        "scope": list(provider.scopes),
                        "origins": list(provider.origins),
                    },
                }
                for provider in providers
            ],
        }
    }
