"""OpenID Connect, as this shop asks it: code with PKCE, nonce, and a signed token (Core 3.1).

allauth has the sessions' part: state, sign-up, links to accounts. What a provider answers is
checked here, and every claim that is not checked is dropped.
"""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import jwt
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.emails import check_email
from accounts.providers import discovery
from accounts.providers.outgoing import ProviderError, fetch
from shop.core.identity import origin_of

SUBJECT_MAX = 191
"""Characters; the column of allauth takes no more, and OpenID has a limit of 255 ASCII ones."""
CLOCKS_DIFFER_SECONDS = 60

Claims = dict[str, Any]


class Provider(OpenIDConnectProvider):
    """A configured provider."""

    package = "accounts.providers"

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        """Return the address that a form for signing in is sent to."""
        return reverse("provider_login", args=[self.app.provider_id])

    def get_callback_url(self) -> str:
        """Return the address that the provider leads back to; it is registered there."""
        path = reverse("provider_callback", args=[self.app.provider_id])
        return str(settings.SITE_URL + path)

    def serialize(self) -> dict[str, Any]:
        """Return what names the provider; a client id may be the same at two of them."""
        return {"id": self.app.provider_id}

    def prepare(self) -> None:
        """Ask the provider for its endpoints, if they are not known. Raise ``ProviderError``.

        Call this first, because nothing waits for a network inside a transaction.
        """
        points = discovery.endpoints(self.app)
        if origin_of(points.authorization) not in self.app.settings["origins"]:
            # A browser would refuse to go there without a word, by the policy of our page.
            raise ProviderError(f"ORIGINS lack that of {points.authorization}")

    def redirect(
        self,
        request: HttpRequest,
        process: str,
        next_url: str | None = None,
        data: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        """Send the browser to the provider. Raise ``ProviderError``."""
        points = discovery.endpoints(self.app)
        pkce = generate_code_challenge()
        verifier: str = pkce.pop("code_verifier")
        state = self.stash_redirect_state(
            request, process, next_url, data, pkce_code_verifier=verifier
        )
        query = {
            "client_id": self.app.client_id,
            "redirect_uri": self.get_callback_url(),
            "response_type": "code",
            "scope": " ".join(self.app.settings["scope"]),
            "state": state,
            "nonce": nonce_of(verifier),
            **pkce,
        }
        joined = "&" if "?" in points.authorization else "?"
        return HttpResponseRedirect(f"{points.authorization}{joined}{urlencode(query)}")

    def extract_uid(self, data: Claims) -> str:
        """Return the person's id at the provider."""
        return str(data["sub"])

    def extract_extra_data(self, data: Claims) -> Claims:
        """Return what is kept of the answer: nothing that tells about the person."""
        return {"sub": data["sub"], "iss": data["iss"]}

    def extract_common_fields(self, data: Claims) -> Claims:
        """Return what the sign-up form proposes."""
        return {"email": data["email"], "username": data["username"]}

    def extract_email_addresses(self, data: Claims) -> list[EmailAddress]:
        """Return the address if the provider has verified it."""
        if not data["verified"]:
            return []
        return [EmailAddress(email=data["email"], verified=True, primary=True)]


def nonce_of(verifier: str) -> str:
    """Return the nonce of a sign-in.

    It is derived from PKCE's verifier, which is random, used once and bound to the session.
    """
    digest = hashlib.sha256(b"nonce:" + verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def identify(provider: Provider, *, code: str, verifier: str, issuer: str | None) -> Claims:
    """Return who the provider says has signed in, by the code that it gave the browser.

    ``issuer`` is what the browser brought along as the name of the provider (RFC 9207).

    These are ``sub``, ``iss``, ``email`` (perhaps empty), whether it is ``verified``, and
    ``username``. Raise ``ProviderError``.
    """
    app = provider.app
    points = discovery.endpoints(app)
    if not code:
        raise ProviderError("the browser brought no code")
    if issuer != points.issuer and (issuer is not None or points.names_issuer):
        raise ProviderError(f"the answer is of {issuer!r}")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.get_callback_url(),
        "code_verifier": verifier,
    }
    credentials = None
    if points.takes_form:
        form |= {"client_id": app.client_id, "client_secret": app.secret}
    else:
        credentials = (app.client_id, app.secret)
    answer = fetch(points.token, issuer=points.issuer, form=form, credentials=credentials)
    claims = _verified(app, points, answer.get("id_token"), nonce_of(verifier))
    if "email" not in claims and points.userinfo and isinstance(answer.get("access_token"), str):
        told = fetch(points.userinfo, issuer=points.issuer, bearer=answer["access_token"])
        if told.get("sub") != claims["sub"]:
            raise ProviderError("two answers are about two people")
        claims |= {name: told[name] for name in _FROM_USERINFO if name in told}
    email = _address(claims.get("email"))
    name = claims.get("preferred_username")
    return {
        "sub": claims["sub"],
        "iss": claims["iss"],
        "email": email,
        # Some providers send the word; no other value that counts as true does so here.
        "verified": bool(email) and _is_true(claims.get("email_verified")),
        "username": name if isinstance(name, str) else "",
    }


_FROM_USERINFO = ("email", "email_verified", "preferred_username")


def _is_true(value: Any) -> bool:
    return value is True or value == "true"


def _verified(app: SocialApp, points: discovery.Endpoints, token: Any, nonce: str) -> Claims:
    """Return the claims of an ID token that is for us, about this sign-in, and signed."""
    if not isinstance(token, str):
        raise ProviderError("there is no ID token")
    key, algorithm = discovery.signing_key(points, token)
    try:
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=app.client_id,
            issuer=points.issuer,
            leeway=CLOCKS_DIFFER_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise ProviderError(f"the ID token is refused: {error}") from error
    if claims.get("azp", app.client_id) != app.client_id:
        raise ProviderError("the ID token is for another program")
    given = claims.get("nonce")
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), nonce.encode()):
        raise ProviderError("the ID token is of another sign-in")
    if not 0 < len(claims["sub"]) <= SUBJECT_MAX or "\0" in claims["sub"]:
        raise ProviderError("the person's id has an unexpected length")
    return claims


def _address(value: Any) -> str:
    """Return an address in lower case if mail can reach it, else an empty string."""
    if not isinstance(value, str):
        return ""
    try:
        check_email(value)
    except ValidationError:
        return ""
    return value.lower()
