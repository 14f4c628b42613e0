"""The pages of the log, and the way to them from an error."""

import re

import pytest
from django.test import Client

from accounts.models import User
from logs.models import Entry
from logs.tests.test_search import NOW, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    """Return the session of somebody who may read the log."""
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client


def _text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def test_lines_are_searched_and_shown_on_pages(operator: Client) -> None:
    assert "No lines yet" in _text(operator, "/logs/")
    trace = "Traceback (most recent call last):\n  File\nValueError: <b>no</b>"
    store(
        {"event": "canary.sung", "request_id": "req-1", "at": NOW, "purchase_id": "p-1"},
        {"event": "canary.died", "level": "error", "exception": trace, "at": NOW},
        {"event": "<script>alert(1)</script>", "level": "warning", "logger": "kombu", "at": NOW},
    )
    page = _text(operator, "/logs/")
    assert all(word in page for word in ("canary.sung", "purchase_id=p-1", "canary.died"))
    assert "<script>alert" not in page
    assert "data-source" not in page
    assert 'data-source="/logs/lines/?level=error"' in _text(
        operator, "/logs/?level=error&follow=1"
    )
    page = _text(operator, "/logs/lines/?field.purchase_id=p-1")
    assert "canary.sung" in page
    assert "canary.died" not in page
    assert "No lines match" in _text(operator, "/logs/?q=nothing-like-it")
    for wrong in ("level=loud", "since=2020-01-01", "cursor=x"):
        assert "error" in _text(operator, f"/logs/?{wrong}")
    died = Entry.objects.get(event="canary.died")
    page = _text(operator, f"/logs/{died.uuid}/")
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "canary.sung" in page
    sung = Entry.objects.get(event="canary.sung")
    page = _text(operator, f"/logs/{sung.uuid}/")
    assert "?field.purchase_id=p-1" in page
    assert "?request_id=req-1" in page
    assert _text(operator, "/logs/0199c1f2-7d3e-7b7a-8a3c-0123456789ab/", 404)


def test_an_error_leads_to_its_lines_in_one_click(operator: Client) -> None:
    page = _text(operator, "/customers/nobody-of-that-name/", 404)
    (link,) = re.findall(r'href="(/logs/\?request_id=[0-9a-f]{32})"', page)
    store({"event": "canary.sung", "request_id": link.partition("=")[2], "at": NOW})
    assert "canary.sung" in _text(operator, link)
    # Others see the id that they may tell somebody.
    customer = Client()
    customer.force_login(User.objects.create(username="joe"))
    page = _text(customer, "/customers/nobody-of-that-name/", 404)
    assert re.search(r"<code>[0-9a-f]{32}</code>", page)
    assert "/logs/" not in page
    assert "/logs/" not in _text(Client(), "/nothing/", 404)
