"""Sign-ups and named customers, alone and many at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory

from accounts.models import OutgoingMail, User
from accounts.services import (
    Customer,
    Names,
    UseridConflict,
    account_create,
    customers_resolve,
)
from accounts.tests.conftest import PASSWORD
from shop.core.errors import ApplicationError, ValidationFailed

pytestmark = pytest.mark.django_db


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all works at the same moment. Return their results or errors."""
    barrier = Barrier(len(works))

    def do(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        except ApplicationError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(do, works))


def resolve(*names: Names) -> list[Any]:
    with transaction.atomic():
        return list(customers_resolve(names))


def code(error: Any) -> tuple[int, str, str | None]:
    assert isinstance(error, ApplicationError)
    return error.status, error.errors[0].code, error.errors[0].attr


CONFLICT = (409, "userid_conflict", "userid")
UNKNOWN = (400, "unknown_customer", "username")


def test_known_customers(alice: User) -> None:
    customer = Customer(alice.pk, "alice", "100")
    assert (
        resolve(("100", "alice"), ("100", "ALICE"), ("100", None), (None, "Alice"))
        == [customer] * 4
    )
    assert User.objects.count() == 1


def test_unseen_customers_get_accounts_that_cannot_sign_in(client: Client) -> None:
    joe, again, only = resolve(("7", "Joe"), ("7", "joe"), ("8", None))
    assert joe == again
    assert (joe.username, joe.userid) == ("Joe", "7")
    assert (only.username, only.userid) == ("8", "8")
    user = User.objects.get(pk=joe.id)
    assert user.is_active
    assert not user.email
    assert not user.has_usable_password()
    assert not any([user.is_staff, user.is_superuser, user.is_client])


def test_names_that_contradict_accounts(alice: User) -> None:
    User.objects.create_user("bob", userid="200")
    User.objects.create_user("300", userid="301")
    answers = resolve(
        ("100", "bob"), ("100", "carol"), ("9", "alice"), ("9", "ALICE"), ("300", None)
    )
    assert [code(answer) for answer in answers] == [CONFLICT] * 5
    assert isinstance(answers[0], UseridConflict)
    assert code(resolve((None, "carol"))[0]) == UNKNOWN
    assert User.objects.count() == 3


def test_names_that_contradict_each_other() -> None:
    first, second, third, fourth = resolve(("9", "joe"), ("5", "JOE"), ("9", "jim"), (None, "joe"))
    assert (first.username, first.userid) == ("joe", "9")
    assert [code(second), code(third)] == [CONFLICT] * 2
    # Names that were unknown when the call began stay unknown to it.
    assert code(fourth) == UNKNOWN


def test_a_contradiction_does_not_touch_its_neighbours(alice: User) -> None:
    bad, good = resolve(("1", "alice"), ("2", "dora"))
    assert code(bad) == CONFLICT
    assert good.username == "dora"


def test_usernames_beyond_ascii() -> None:
    [emile] = resolve(("1", "Émile"))
    assert resolve((None, "émile"), ("1", "ÉMILE")) == [emile, emile]


@pytest.mark.parametrize("count", [1, 50])
def test_query_counts(count: int, django_assert_num_queries: Any) -> None:
    names: list[Names] = [(str(number), f"user{number}") for number in range(count)]
    with transaction.atomic():
        with django_assert_num_queries(4):
            created = customers_resolve(names)
        with django_assert_num_queries(1):
            assert customers_resolve(names) == created


def test_five_thousand_at_once() -> None:
    names: list[Names] = [(str(number), f"user{number}") for number in range(5000)]
    started = time.perf_counter()
    answers = resolve(*names)
    assert time.perf_counter() - started < 5
    assert all(isinstance(answer, Customer) for answer in answers)
    assert [answer.userid for answer in answers] == [userid for userid, _ in names]


@pytest.mark.django_db(transaction=True)
def test_customers_under_a_race() -> None:
    # Enough rows that two writes in the given order would deadlock.
    names: list[Names] = [(str(number), f"user{number}") for number in range(4000)]
    orders = [names, names[::-1], names[2000:] + names[:2000], names[::2] + names[1::2]]
    works = [partial(resolve, *order) for order in orders]
    answers = at_once(works)
    assert User.objects.count() == 4000
    ids = [{answer.userid: answer.id for answer in each} for each in answers]
    assert ids[0] == ids[1] == ids[2] == ids[3]


@pytest.mark.django_db(transaction=True)
def test_one_username_under_a_race_has_one_userid() -> None:
    works = [partial(resolve, (str(number), "joe")) for number in range(6)]
    answers = [answer for [answer] in at_once(works)]
    assert sum(isinstance(answer, Customer) for answer in answers) == 1
    assert {code(answer) for answer in answers if not isinstance(answer, Customer)} == {CONFLICT}


def _request() -> HttpRequest:
    return RequestFactory().post("/api/v1/accounts/")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("username", "email", "attr"),
    [("Eve", "eve{}@example.com", "username"), ("eve{}", "Eve@example.com", "email")],
)
def test_sign_ups_under_a_race(username: str, email: str, attr: str) -> None:
    works = [
        partial(
            account_create,
            username=(username if number % 2 else username.lower()).format(number),
            email=email.format(number),
            password=PASSWORD,
            request=_request(),
        )
        for number in range(6)
    ]
    answers = at_once(works)
    assert sum(isinstance(answer, User) for answer in answers) == 1
    refused = [answer for answer in answers if not isinstance(answer, User)]
    assert all(isinstance(answer, ValidationFailed) for answer in refused)
    assert {code(answer) for answer in refused} == {(400, "taken", attr)}
    assert User.objects.count() == 1
    assert OutgoingMail.objects.count() == 1
