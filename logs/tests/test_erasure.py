"""Erasing somebody empties the lines about them, and leaves what happened and everybody else's."""

import json
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from logs.words import words_of
from personal.erasing import _erase_rows
from personal.subjects import Subject
from shop.core.ids import uuid7


def _line(user_id: int | None, message: str, **fields: Any) -> None:
    words = list(words_of("sign_in.failed", "", fields, message))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO logs_entry (id, kept, level, part, instance, logger, event, message,"
            " request_id, user_id, fields, words) VALUES"
            " (%s, 'info', 30, 'web', '', '', 'sign_in.failed', %s, '', %s, %s,"
            " array_to_tsvector(%s))",
            [uuid7(), message, user_id, json.dumps(fields), words],
        )


@pytest.mark.django_db
def test_an_erasure_empties_the_lines_about_somebody_and_those_that_name_them() -> None:
    joe = User.objects.create(username="Joe.Smith", userid="joe-1", email="joe@example.com")
    _line(joe.pk, "his", ip="10.0.0.1")
    for name in ("joe.smith", "JOE-1", "joe@example.com"):
        _line(None, "named", login=name)
    _line(None, "other", login="joe")
    _line(None, "smith joe", login="smith.joe", userid=1)
    _erase_rows(Subject.of(joe))
    with connection.cursor() as cursor:
        cursor.execute("SELECT event, message, fields::text, words IS NULL FROM logs_entry")
        found = sorted(cursor.fetchall())
    empty = ("sign_in.failed", "", "{}", True)
    assert found[:4] == [empty] * 4
    assert [message for _, message, *_ in found[4:]] == ["other", "smith joe"]
