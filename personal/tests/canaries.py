"""Two people with something in every column that is declared to be about people.

The rows are made from the registry and the database, so a new table has its canaries at once.
"""

import itertools
import re
import uuid
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from accounts.models import User
from shop.core.columns import Table, tables
from webhooks.models import Delivery, Endpoint

BY_OTHER_MEANS = {
    "socialaccount_socialaccount",
    "accounts_user",
    "account_emailaddress",
    "django_session",
    "purchases_purchase",
}
"""Tables whose rows the tests make as the site does."""
CODE_LENGTH = 3
# The journal has it, and has to.
NAMES_NOBODY = {"knox_authtoken.digest"}
_numbers = itertools.count(100)
_ACCOUNT = re.compile(r"t\.(\w+) = %\(account\)s")
_EMAIL = re.compile(r"lower\(t\.(\w+)\) = ANY\(%\(emails\)s\)")


class Person:
    """An account, and the text by which everything about it is found."""

    def __init__(self, word: str, **fields: Any) -> None:
        self.word = word
        self.user = User.objects.create(
            username=f"{word}-username",
            userid=f"{word}-userid",
            email=f"{word}@example.com",
            language="",
            **fields,
        )
        self.user.set_password("orchid-lamp-42")
        self.user.save()
        address = EmailAddress.objects.create(
            user=self.user, email=self.user.email, verified=True, primary=True
        )
        linked = SocialAccount.objects.create(
            user=self.user, provider="dummy", uid=f"{word}-uid", extra_data={"sub": f"{word}-sub"}
        )
        endpoint = Endpoint.objects.create(
            owner=self.user, url="https://example.com", types=[1], position=0, secret="sealed"
        )
        delivery = Delivery.objects.create(
            endpoint=endpoint, kind="test", after=0, until=0, goal=0, types=[1], events=0
        )
        self.parents = {
            "email_address_id": address.pk,
            "webhooks_attempt.delivery_id": delivery.pk,
            "socialaccount_socialtoken.account_id": linked.pk,
        }

    def plant(self) -> dict[str, str]:
        """Put a row about this person into every table. Return their texts by column."""
        planted: dict[str, str] = {}
        for table in tables():
            if table.name in BY_OTHER_MEANS or not any(one.personal for one in table.columns):
                continue
            values = self._values(table)
            names = ", ".join(f'"{name}"' for name in values)
            places = ", ".join(["%s"] * len(values))
            with connection.cursor() as cursor:
                # Neither foreign keys nor triggers ask whether the row makes sense.
                cursor.execute("SET session_replication_role = replica")
                cursor.execute(
                    f"INSERT INTO {table.name} ({names}) VALUES ({places})", list(values.values())
                )
                cursor.execute("SET session_replication_role = origin")
            for name, value in values.items():
                text = value.decode() if isinstance(value, bytes) else str(value)
                if self.word in text:
                    planted[f"{table.name}.{name}"] = text
        return planted

    def _values(self, table: Table) -> dict[str, Any]:
        about = table.rows[0].about
        personal = {column.name for column in table.columns if column.personal}
        accounts, emails = set(_ACCOUNT.findall(about)), set(_EMAIL.findall(about))
        values: dict[str, Any] = {}
        for name, kind, length, nullable, default in _columns(table.name):
            # Short enough for every column, and no other's beginning. A code of a country or the
            # like is too short to name anybody.
            text = f"{self.word}{next(_numbers)}z"
            is_code = length is not None and length <= CODE_LENGTH
            assert length is None or len(text) <= length or name not in personal or is_code, name
            if f"{table.name}.{name}" in NAMES_NOBODY:
                values[name] = uuid.uuid4().hex
            elif name in accounts:
                values[name] = self.user.pk
            elif name in emails:
                values[name] = self.user.email
            elif parent := self.parents.get(name, self.parents.get(f"{table.name}.{name}")):
                values[name] = parent
            elif kind == "text" and name in personal:
                values[name] = "DE" if is_code else text
            elif kind == "bytea":
                values[name] = text.encode()[:32] if name in personal else uuid.uuid4().bytes
            elif kind == "jsonb" and name in personal:
                values[name] = f'{{"canary": "{text}"}}'
            elif default or nullable:
                continue
            else:
                values[name] = _EMPTY[kind]()
        return values


def _columns(table: str) -> list[tuple[str, str, int | None, bool, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT column_name,
                   CASE WHEN data_type IN ('character varying', 'text') THEN 'text'
                        ELSE data_type END,
                   character_maximum_length, is_nullable = 'YES',
                   column_default IS NOT NULL OR is_identity = 'YES' OR is_generated <> 'NEVER'
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
            """,
            [table],
        )
        return cursor.fetchall()


def texts_of(table: str) -> set[str]:
    """Return the columns of a table that hold text which could name somebody."""
    return {
        name
        for name, kind, length, *_ in _columns(table)
        if kind in ("text", "jsonb", "bytea") and (length is None or length > CODE_LENGTH)
    }


_EMPTY: dict[str, Any] = {
    "text": lambda: uuid.uuid4().hex[:3],
    "uuid": uuid.uuid4,
    "jsonb": lambda: "{}",
    "bigint": lambda: uuid.uuid4().int % 10**15,
    "integer": lambda: uuid.uuid4().int % 10**8,
    "smallint": lambda: 1,
    "boolean": lambda: True,
    "numeric": lambda: 1,
    "date": lambda: "2026-01-01",
    "timestamp with time zone": lambda: "2026-01-01T00:00:00Z",
    "ARRAY": lambda: "{}",
}


def session_of(person: Person) -> str:
    """Sign a browser of the person in. Return the session's key."""
    session = SessionStore()
    session["_auth_user_id"] = str(person.user.pk)
    session["note"] = person.word
    session.save()
    return str(session.session_key)


def found_in_tables(word: str) -> list[str]:
    """Return the tables and rows that hold a word, as text or as bytes."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT t::text FROM "{table}" AS t'
                " WHERE strpos(lower(t::text), %s) > 0 OR strpos(t::text, %s) > 0",
                [word, word.encode().hex()],
            )
            found += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    return found
