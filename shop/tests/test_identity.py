"""Providers of the environment: whole ones are offered, and half ones stop the start."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from shop.core.identity import IdentityProvider, identity_providers, origin_of

WHOLE = {
    "OIDC_MY_IDP_ISSUER": "https://id.example.com/realms/shop",
    "OIDC_MY_IDP_CLIENT_ID": "shop",
    "OIDC_MY_IDP_CLIENT_SECRET": "s" * 20,
}


def read(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], *, development: bool = False
) -> list[IdentityProvider]:
    with monkeypatch.context() as patched:
        for name, value in given.items():
            patched.setenv(name, value)
        return identity_providers(development=development)


def test_whole_providers_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path):
    assert read(monkeypatch, {}) == []
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    google, other = read(
        monkeypatch,
        WHOLE
        | {"GOOGLE_CLIENT_ID": "g", "GOOGLE_CLIENT_SECRET_FILE": str(secret)}
        | {"OIDC_MY_IDP_ORIGINS": "https://login.example.net:8443", "OIDC_MY_IDP_LABEL": ""},
    )
    assert (google.id, google.label, google.client_secret) == ("google", "Google", "from a file")
    assert google.origins == ("https://accounts.google.com",)
    assert (other.id, other.label) == ("my-idp", "My Idp")
    assert other.origins == ("https://id.example.com", "https://login.example.net:8443")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"OIDC_MY_IDP_ISSUER": ""}, "OIDC_MY_IDP_ISSUER"),
        ({"OIDC_MY_IDP_CLIENT_ID": ""}, "OIDC_MY_IDP_CLIENT_ID"),
        ({"OIDC_MY_IDP_CLIENT_SECRET": ""}, "OIDC_MY_IDP_CLIENT_SECRET"),
        ({"OIDC_MY_IDP_CLIENT_SECRET": "change-me"}, "example value"),
        ({"OIDC_MY_IDP_CLIENT_SECRET_FILE": "/nowhere"}, "not both"),
        ({"OIDC_MY_IDP_ISSUER": "http://id.example.com"}, "https://"),
        ({"OIDC_MY_IDP_ISSUER": "https://id.example.com/?a=b"}, "https://"),
        ({"OIDC_MY_IDP_ISSUER": "https://id.example.com;script-src *"}, "https://"),
        ({"OIDC_MY_IDP_ISSUER": "https://[::1"}, "https://"),
        ({"OIDC_MY_IDP_ISSUER": "https://a:b@id.example.com"}, "https://"),
        ({"OIDC_MY_IDP_ORIGINS": "https://a.example.com/path"}, "has a path"),
        ({"OIDC_MY_IDP_ORIGINS": "*"}, "https://"),
        ({"OIDC_MY_IDP_SCOPES": "email"}, "openid"),
        ({"OIDC_MY_IDP_CLIENTID": "shop"}, "OIDC_MY_IDP_CLIENTID"),
        ({"OIDC_ISSUER": "https://id.example.com"}, "OIDC_ISSUER"),
        ({"GOOGLE_CLIENT_ID": "g"}, "GOOGLE_CLIENT_SECRET"),
        ({"GOOGLE_CLIENT_SECRET": "s" * 20}, "GOOGLE_CLIENT_ID"),
        ({"OIDC_GOOGLE_ISSUER": "https://accounts.google.com"}, "GOOGLE_CLIENT_ID"),
    ],
)
def test_half_a_provider_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], names: str
):
    with pytest.raises(ImproperlyConfigured, match=re.escape(names)):
        read(monkeypatch, WHOLE | changes)


def test_a_provider_may_be_on_this_machine_in_development(monkeypatch: pytest.MonkeyPatch):
    given = WHOLE | {"OIDC_MY_IDP_ISSUER": "http://127.0.0.1:8080"}
    [provider] = read(monkeypatch, given, development=True)
    assert provider.origins == ("http://127.0.0.1:8080",)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example.com:443/x", "https://a.example.com"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str, origin: str):
    assert origin_of(url) == origin
