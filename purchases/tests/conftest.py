"""Fixtures of the tests of the ledger."""

import pytest

from purchases.tests.callers import Api


@pytest.fixture
def alice() -> Api:
    return Api("alice")


@pytest.fixture
def bob() -> Api:
    return Api("bob")


@pytest.fixture
def till() -> Api:
    return Api("till", is_client=True)


@pytest.fixture
def staff() -> Api:
    return Api("staff", is_staff=True)
