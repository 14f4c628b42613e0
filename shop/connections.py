"""Where PostgreSQL and Valkey are, and with which limits the site uses them.

The functions read the environment and return what Django, Celery and redis-py expect. They belong
to ``shop.settings``, which calls them once.
"""

from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url

from shop.core import env
from shop.core.database import ANSWER_MARGIN, LOST_SERVER, connection_class

FURTHER = ("relay", "worker", "reader", "backup")
"""The roles that a site may have beside the owner's and the application's."""


def database(role: str, *, development: bool) -> dict[str, Any]:
    """Return Django's settings of the database for a role.

    A role that has no URL of its own is the application's.
    """
    return _database(role, _role_parameters(role, development=development))


def replica(url: str) -> dict[str, Any]:
    """Return Django's settings of the streaming replica at ``url``."""
    settings = _database("application", _parameters("DATABASE_REPLICA_URL", url))
    settings["OPTIONS"]["options"] += " -c default_transaction_read_only=on"
    settings["TEST"] = {"MIRROR": "default"}
    return settings


def application_role(*, development: bool) -> dict[str, str]:
    """Return ``user`` and ``password`` of the application's role, as far as they are given."""
    parameters = _role_parameters("application", development=development)
    return {key: value for key, value in parameters.items() if key in ("user", "password")}


def further_roles(*, development: bool) -> dict[str, dict[str, str]]:
    """Return ``user`` and ``password`` of the other roles whose URLs are given, by their kind.

    Raise ``ImproperlyConfigured`` for a URL without a user, or with another role's.
    """
    found: dict[str, dict[str, str]] = {}
    for kind in FURTHER:
        if parameters := _url_parameters(_name(kind), development=development):
            found[kind] = {
                key: value for key, value in parameters.items() if key in ("user", "password")
            }
            names = [one.get("user", "") for one in found.values()]
            if "" in names or len(names) > len(set(names)):
                raise ImproperlyConfigured(f"{_name(kind)} needs a user of its own.")
    return found


def _name(kind: str) -> str:
    return f"DATABASE_{kind.upper()}_URL"


def _url_parameters(name: str, *, development: bool) -> dict[str, str]:
    """Return the parameters of the variable; empty if it is not set."""
    url = env.secret(name, development="" if development else None, optional=True)
    return _parameters(name, url) if url else {}


def _parameters(name: str, url: str) -> dict[str, str]:
    """Return libpq's parameters; raise ``ImproperlyConfigured``, which never shows the URL."""
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        ports = [int(port) for port in parameters.get("port", "").split(",") if port]
    except (psycopg.Error, ValueError):
        ports = [0]
    if not all(0 < port < 65536 for port in ports):
        raise _malformed(name, "postgresql://user:password@host:5432/name")
    return parameters


def _malformed(name: str, example: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} cannot be read. It is written as {example}, and characters such as / # % @ of a "
        "password as %2F %23 %25 %40."
    )


def _role_parameters(role: str, *, development: bool) -> dict[str, str]:
    """Return libpq's parameters for a role, from its URL or from the POSTGRES_* variables."""
    if role in FURTHER:
        if parameters := _url_parameters(_name(role), development=development):
            return parameters
        role = "application"
    parameters = _url_parameters("DATABASE_URL", development=development)
    if role == "owner":
        owner = _url_parameters("DATABASE_OWNER_URL", development=development)
        parameters = owner or parameters
    if parameters:
        return parameters
    application = env.secret("POSTGRES_APP_PASSWORD", optional=True)
    if role == "application" and application:
        user, password = env.text("POSTGRES_APP_USER", "shop_app"), application
    elif role == "application" and env.text("POSTGRES_APP_USER", ""):
        # Falling back to the owner would give the application rights that nobody meant it to have.
        raise ImproperlyConfigured(
            "POSTGRES_APP_PASSWORD is not set. Give it in the environment or as a file in "
            "POSTGRES_APP_PASSWORD_FILE."
        )
    else:
        user = env.text("POSTGRES_USER", "shop")
        password = env.secret("POSTGRES_PASSWORD", development="shop" if development else None)
    return {
        "dbname": env.text("POSTGRES_DB", "shop"),
        "user": user,
        "password": password,
        "host": env.text("POSTGRES_HOST", "postgres"),
        "port": env.text("POSTGRES_PORT", "5432"),
    }


def _database(role: str, parameters: dict[str, str]) -> dict[str, Any]:
    # The owner migrates, which takes as long as it takes.
    statement_seconds = env.integer("DATABASE_STATEMENT_SECONDS", 5, minimum=1)
    limited = role != "owner"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parameters.pop("dbname", "shop"),
        "USER": parameters.pop("user", ""),
        "PASSWORD": parameters.pop("password", ""),
        "HOST": parameters.pop("host", ""),
        "PORT": parameters.pop("port", ""),
        # Connections live in psycopg's pool. Persistent connections of Django's own would leak
        # under ASGI, because each of its many threads would keep one.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **parameters,
            "options": " ".join(
                filter(None, [parameters.get("options"), _limits(statement_seconds * limited)])
            ),
            "connect_timeout": 3,
            **LOST_SERVER,
            "application_name": env.text("APPLICATION_NAME", "shop"),
            "pool": {
                "connection_class": connection_class(
                    statement_seconds + ANSWER_MARGIN if limited else None
                ),
                "min_size": 0,
                # Enough for every thread that may ask at once, so that none waits for another's.
                "max_size": env.integer("DATABASE_POOL_SIZE", 24, minimum=2, maximum=200),
                # A request that has no connection by then is answered 503.
                "timeout": 4,
                "max_idle": 120,
                "reconnect_timeout": 10,
            },
        },
    }


def _limits(statement_seconds: int) -> str:
    """Return the server-side limits of a connection as libpq's ``options``; 0 sets none.

    A migration may run long, but it waits only briefly for its locks, because every later statement
    waits behind it. ``idle_in_transaction_session_timeout`` frees the locks of a stuck process.
    """
    lock_seconds = env.integer("DATABASE_LOCK_SECONDS", 2, minimum=1)
    return (
        f"-c statement_timeout={statement_seconds}s -c lock_timeout={lock_seconds}s"
        " -c idle_in_transaction_session_timeout=60s"
    )


def redis_url(*, development: bool) -> str:
    """Return Valkey's URL, from REDIS_URL or from VALKEY_PASSWORD, VALKEY_HOST and VALKEY_PORT."""
    unset = "" if development else None
    if url := env.secret("REDIS_URL", development=unset, optional=True):
        try:
            _check_valkey(url)
        except ValueError:
            raise _malformed("REDIS_URL", "redis://:password@host:6379/0") from None
        return url
    password = env.secret("VALKEY_PASSWORD", development=unset)
    host = env.text("VALKEY_HOST", "localhost" if development else "valkey")
    port = env.integer("VALKEY_PORT", 6379, minimum=1, maximum=65535)
    credentials = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{credentials}{host}:{port}/0"


def _check_valkey(url: str) -> None:
    """Raise ``ValueError`` if redis-py cannot read the URL, or would read it as another."""
    parse_url(url)
    parts = urlsplit(url)
    if parts.scheme != "unix":
        # redis-py reads a database that is no number as 0, and a host that is missing as this one.
        int(parts.path.strip("/") or 0)
        if not parts.hostname:
            raise ValueError


def celery_url(url: str) -> str:
    """Return Valkey's URL as kombu expects it, which spells Unix sockets its own way."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    database = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair).get("db", "0")
    return f"redis+socket://{quote(path)}?virtual_host={database}"
