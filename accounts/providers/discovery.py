"""Where a provider's endpoints are, and the keys that sign its answers, by OpenID Discovery.

Both are remembered in the process, because a sign-in would else ask for them twice. A failure is
remembered, too, but for seconds only.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from allauth.socialaccount.models import SocialApp

from accounts.providers.outgoing import Busy, ProviderError, fetch

KEPT_SECONDS = 600
FAILURE_SECONDS = 5
KNOWN_KEYS_SECONDS = 60
"""How soon the keys may be asked for again, when a token names one that is not among them."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""What a provider may sign with. None of them makes a signature from what is public."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of a provider, and how its token endpoint takes the client's secret."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    takes_form: bool
    names_issuer: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    found: Any
    at: float


_kept: dict[str, _Kept] = {}
_lock = threading.Lock()


def forget() -> None:
    """Forget every provider, as a new process has."""
    with _lock:
        _kept.clear()


def _remembered(
    url: str,
    issuer: str,
    read: Callable[[dict[str, Any]], Any],
    *,
    younger_than: float = KEPT_SECONDS,
) -> Any:
    """Return what is read from the document at an address. Raise ``ProviderError``.

    What cannot be read is a failure, so that a provider's bad minute stays one.
    """
    with _lock:
        kept = _kept.get(url)
    if kept is not None:
        limit = FAILURE_SECONDS if isinstance(kept.found, ProviderError) else younger_than
        if time.monotonic() - kept.at < limit:
            return _found(kept)
    try:
        kept = _Kept(read(fetch(url, issuer=issuer)), time.monotonic())
    except Busy:
        raise
    except ProviderError as failure:
        kept = _Kept(failure, time.monotonic())
    with _lock:
        _kept[url] = kept
    return _found(kept)


def _found(kept: _Kept) -> Any:
    if isinstance(kept.found, ProviderError):
        raise kept.found
    return kept.found


def endpoints(app: SocialApp) -> Endpoints:
    """Return the endpoints of a provider. Raise ``ProviderError``."""
    issuer: str = app.settings["server_url"]

    def read(document: dict[str, Any]) -> Endpoints:
        named = document.get("issuer")
        if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
            raise ProviderError(f"the document is of {named!r}")
        methods = document.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            issuer=named,
            authorization=_address(document, "authorization_endpoint"),
            token=_address(document, "token_endpoint"),
            keys=_address(document, "jwks_uri"),
            userinfo=_address(document, "userinfo_endpoint", optional=True),
            takes_form=isinstance(methods, list) and "client_secret_post" in methods,
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    where = issuer.rstrip("/") + "/.well-known/openid-configuration"
    found: Endpoints = _remembered(where, issuer, read)
    return found


def _address(document: dict[str, Any], name: str, *, optional: bool = False) -> str:
    value = document.get(name, "" if optional else None)
    if not isinstance(value, str):
        raise ProviderError(f"{name} is {value!r}")
    return value


def signing_key(points: Endpoints, token: str) -> tuple[Any, str]:
    """Return the key and the algorithm that a token says it is signed with.

    Raise ``ProviderError`` if the provider has no such key.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise ProviderError(f"the token is none: {error}") from error
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise ProviderError(f"the token is signed by {algorithm!r}")
    for younger_than in (KEPT_SECONDS, KNOWN_KEYS_SECONDS):
        keys = _remembered(points.keys, points.issuer, _keys, younger_than=younger_than)
        if key := _key(keys, name, str(algorithm)):
            return key, str(algorithm)
    raise ProviderError(f"there is no key {name!r}")


def _keys(document: dict[str, Any]) -> list[dict[str, Any]]:
    keys = document.get("keys")
    found = [each for each in keys if isinstance(each, dict)] if isinstance(keys, list) else []
    if not any(isinstance(each.get("kty"), str) for each in found):
        raise ProviderError("there are no keys")
    return found


def _key(keys: list[dict[str, Any]], name: Any, algorithm: str) -> Any:
    fitting = [each for each in keys if name is None or each.get("kid") == name]
    for each in fitting if name is not None or len(fitting) == 1 else []:
        try:
            return jwt.PyJWK.from_dict(each, algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
    return None
