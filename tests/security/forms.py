"""Helpers that sign up and sign in."""

from typing import Any

from django.test import Client

from tests.access import PASSWORD


def sign_up_form(name: str) -> dict[str, str]:
    """Return the form of a sign-up."""
    return {
        "username": name,
        "email": f"{name}@example.com",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }


def sign_in_token(username: str, password: str, address: str = "10.0.0.1") -> Any:
    """Sign in at the API, from an address."""
    return Client(REMOTE_ADDR=address).post(
        "/api/v1/auth/token/",
        {"username": username, "password": password},
        content_type="application/json",
    )


def login(username: str, password: str, address: str = "10.0.0.1") -> Any:
    """Sign in on the page, from an address."""
    return Client(REMOTE_ADDR=address).post(
        "/accounts/login/", {"login": username, "password": password}
    )
