"""Accounts with roles, and clients of the API with a token of one."""

import json
from typing import Any, ClassVar

from django.test import Client

from accounts.models import Token, User
from people.folding import fold


def make(name: str, *roles: str, **fields: Any) -> User:
    """Return an account with these roles."""
    fields.setdefault("userid", f"id-{name}")
    user = User.objects.create_user(name, f"{name}@example.com", "x", **fields)
    if roles:
        User.objects.filter(pk=user.pk).update(roles=sorted(roles))
        fold([user.pk])
        user.refresh_from_db()
    return user


class Api:
    """A client of the API with a token of an account."""

    below: ClassVar[str] = ""
    """What the paths are below, after ``/api/v1/``."""

    def __init__(self, user: User) -> None:
        self.user = user
        token = Token.objects.create(user=user)[1]
        self.client = Client(headers={"Authorization": f"Token {token}"})

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request with a JSON body, and headers such as ``Idempotency_Key="x"``."""
        return self.client.generic(
            method,
            f"/api/v1/{self.below}{path}",
            b"" if body is None else json.dumps(body),
            "application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
