"""Fixtures of the tests of operating figures."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User


@pytest.fixture
def operator(db: None) -> Client:
    """Return a client that is signed in as somebody who keeps the site running."""
    user = User(username="ops", userid="ops")
    user.give_roles(["operator"])
    user.save()
    client = Client()
    client.force_login(user)
    return client


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
