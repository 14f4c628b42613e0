"""Typed readers of environment variables that fail loudly.

Every reader takes the variable's name and an optional default. A variable that is set to the
empty string counts as not set, because that is what an unfilled line of an ``.env`` file gives.
A secret ``NAME`` may also be given as a file whose path is in ``NAME_FILE``, as container
platforms do; the file's trailing newline is not part of the secret.
"""

import base64
import binascii
import ipaddress
import os
import re
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_REQUIRED: Final = object()

VARIABLES: Final[set[str]] = set()
"""The names that have been read in this process, so that a test can compare them with the docs."""
SECRETS: Final[set[str]] = set()
"""Those of them that may be given as a file, too."""
_SECRET_TEXTS: Final[set[str]] = set()

# These values occur in examples only. A production site with one of them has a public secret.
EXAMPLE_SECRETS: Final = frozenset({"change-me", "changeme", "secret", "password", "example"})


def text(name: str, default: str | object = _REQUIRED) -> str:
    """Return the variable as text; raise ``ImproperlyConfigured`` if it is missing."""
    VARIABLES.add(name)
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is _REQUIRED:
        raise ImproperlyConfigured(f"{name} is not set. See .env.example for what it is.")
    return str(default)


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """Return the variable as a whole number between ``minimum`` and ``maximum``."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if not minimum <= number <= maximum:
        raise ImproperlyConfigured(f"{name} must be between {minimum} and {maximum}.")
    return number


TRUE: Final = frozenset({"true", "1", "yes", "on"})
FALSE: Final = frozenset({"false", "0", "no", "off"})


def boolean(name: str, default: bool) -> bool:
    """Return the variable as a truth value: ``true``, ``1``, ``yes``, ``on`` or their opposites."""
    value = text(name, "true" if default else "false").lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def day(name: str) -> date | None:
    """Return the variable as a day, as ``2026-05-01``; ``None`` if it is not set."""
    value = text(name, "")
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a day as 2026-05-01, not {value!r}.") from None


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return the variable, which must be one of ``choices``."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty items."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def address(name: str, default: str | object = _REQUIRED) -> str:
    """Return the variable, the http(s) address of a server, without a slash at its end.

    Raise ``ImproperlyConfigured`` for anything else; an address with a password is not shown.
    """
    value = text(name, default).rstrip("/")
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[\s?#@]", value):
        raise ImproperlyConfigured(
            f"{name} must be an address such as https://shop.example.org, with neither an account "
            "nor a query."
        )
    return value


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(name: str, *, instead_of: str = "") -> tuple[Network, ...]:
    """Return a comma-separated variable of IP addresses and networks.

    Raise ``ImproperlyConfigured`` for a word that is neither. Raise it, too, if only the retired
    variable ``instead_of`` is set.
    """
    given = words(name)
    if not given and instead_of and os.environ.get(instead_of, "").strip() not in ("", "0"):
        raise ImproperlyConfigured(
            f"{instead_of} is no longer read. Name the proxies' addresses or networks in {name}."
        )
    found: list[Network] = []
    for word in given:
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must be IP addresses or networks; {word!r} is neither."
            ) from None
    return tuple(found)


def secret(
    name: str,
    *,
    development: str | None = None,
    minimum_length: int = 1,
    optional: bool = False,
) -> str:
    """Return a secret from ``NAME`` or from the file that ``NAME_FILE`` names.

    ``development`` is the default, and allows any value. Without it the secret is required and is
    checked. An ``optional`` secret is empty if it is not given.

    Raise ``ImproperlyConfigured`` if the secret is missing, unreadable, too short or that of an
    example, or if it is a URL with the password of an example.
    """
    VARIABLES.add(name)
    SECRETS.add(name)
    value = os.environ.get(name, "").strip()
    path = os.environ.get(f"{name}_FILE", "").strip()
    if value and path:
        raise ImproperlyConfigured(f"Set either {name} or {name}_FILE, not both.")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from None
    _SECRET_TEXTS.update(_texts(value))
    if not value:
        if optional:
            return ""
        if development is None:
            raise ImproperlyConfigured(
                f"{name} is not set. Give it in the environment or as a file in {name}_FILE."
            )
        return development
    if development is None:
        if _is_example(value) or _is_example(_password(value)):
            raise ImproperlyConfigured(f"{name} still has its example value.")
        if len(value) < minimum_length:
            raise ImproperlyConfigured(f"{name} must have at least {minimum_length} characters.")
    return value


def secret_texts() -> set[str]:
    """Return the texts of all secrets that were read, for what must not be logged.

    An example such as ``password`` is no secret, and a word of many lines.
    """
    return {text for text in _SECRET_TEXTS if not _is_example(text)}


def _texts(value: str) -> set[str]:
    """Return what is secret in a value: the password of a URL, or all of it and its parts."""
    if "://" in value:
        return {urlsplit(value).password or "", _password(value)} if _password(value) else set()
    parts = {part.strip() for part in value.split(",")}
    return {value} | parts | {part.partition(":")[2] for part in parts}


def _is_example(value: str) -> bool:
    return value.lower() in EXAMPLE_SECRETS or value.lower().startswith("change-me")


def _password(value: str) -> str:
    """Return the password in a URL; empty if it has none or ``value`` is no URL."""
    try:
        return unquote(urlsplit(value).password or "")
    except ValueError:
        return ""


def secrets(name: str) -> list[str]:
    """Return an optional secret that is a comma-separated list, without empty items."""
    return [word.strip() for word in secret(name, optional=True).split(",") if word.strip()]


def data_keys(name: str, *, development: str | None = None) -> dict[str, bytes]:
    """Return the keys of a secret ``id:base64,id:base64``: 32 bytes by id, the first one writes.

    Raise ``ImproperlyConfigured`` as ``secret`` does, and if a key is malformed or named twice.
    """
    found: dict[str, bytes] = {}
    for word in secret(name, development=development).split(","):
        key_id, _, encoded = word.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not re.fullmatch(r"[a-z0-9]{1,16}", key_id) or len(key) != 32 or key_id in found:
            raise ImproperlyConfigured(
                f"{name} must be keys such as k1:<32 random bytes in base64>, comma-separated,"
                " each id once."
            )
        found[key_id] = key
    return found
