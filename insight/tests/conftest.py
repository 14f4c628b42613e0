"""A client of staff, who sees the shop's figures."""

import pytest
from django.test import Client

from accounts.models import User


@pytest.fixture
def staff() -> Client:
    user = User.objects.create(username="boss", userid="boss", is_staff=True)
    client = Client()
    client.force_login(user)
    return client
