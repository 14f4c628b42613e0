"""Passkeys (WebAuthn), as ``fido2`` checks them.

A *ceremony* is one registration or one sign-in. Its challenge is in the session, each purpose in a
place of its own, and is good once and for five minutes. Every ceremony wants the user verified, by
a PIN or a finger. What is stored asks for that, never what the session or the browser says.
"""

import struct
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.db import connection
from django.http import HttpRequest
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.factors.relying_party import origin, relying_party_id
from accounts.models import User
from shop.core.site_settings.general import SITE_NAME

CEREMONY_SECONDS = 300
PASSKEYS_MAX = 20
NAME_MAX_LENGTH = 60
CREDENTIAL_MAX_LENGTH = 16_384
"""Characters of a browser's answer. Real ones have some hundreds, or 6000 with an attestation."""
_VERIFIED = UserVerificationRequirement.REQUIRED
# What parsers of bytes that somebody made up raise.
_MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
)


class Purpose(StrEnum):
    """What a ceremony is for. An answer to one is no answer to another."""

    ADD = "add"
    SIGN_IN = "sign-in"
    SECOND_FACTOR = "second-factor"
    CONFIRM = "confirm"


class PasskeyRefused(Exception):
    """The browser's answer does not prove that the owner of a passkey is here."""


def add_begin(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return the options with which a browser makes a passkey, as JSON."""
    options, state = _server().register_begin(
        PublicKeyCredentialUserEntity(
            id=str(user.pk).encode(), name=user.username, display_name=user.username
        ),
        credentials=[_credential(each) for each in passkeys_of(user)],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_VERIFIED,
    )
    _remember(request, Purpose.ADD, state)
    return dict(options)


def add_complete(request: HttpRequest, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a new passkey, but for its name. Raise ``PasskeyRefused``."""
    state = _recall(request, Purpose.ADD)
    try:
        made = _server().register_complete(state, answer)
    except _MALFORMED as error:
        raise PasskeyRefused() from error
    if not made.is_user_verified() or made.credential_data is None:
        raise PasskeyRefused()
    return {
        "id": websafe_encode(made.credential_data.credential_id),
        "credential": websafe_encode(bytes(made.credential_data)),
        "count": made.counter,
    }


def use_begin(request: HttpRequest, purpose: Purpose, user: User | None = None) -> dict[str, Any]:
    """Return the options with which a browser uses a passkey: one of the user's, or any."""
    credentials = [_credential(each) for each in passkeys_of(user)] if user is not None else None
    options, state = _server().authenticate_begin(credentials, user_verification=_VERIFIED)
    _remember(request, purpose, state)
    return dict(options)


def use_complete(
    request: HttpRequest, purpose: Purpose, answer: Mapping[str, Any], user: User | None = None
) -> Authenticator:
    """Return the passkey that was used: one of the user's, or that of the account that it names.

    Raise ``PasskeyRefused``.
    """
    state = _recall(request, purpose)
    try:
        response = AuthenticationResponse.from_dict(answer)
        handle = response.response.user_handle
        account = user.pk if user is not None else int((handle or b"").decode("ascii"))
        if handle is not None and handle != str(account).encode():
            raise PasskeyRefused()
        found = Authenticator.objects.select_related("user").get(
            user_id=account,
            type=Authenticator.Type.WEBAUTHN,
            data__id=websafe_encode(response.raw_id),
        )
        _server().authenticate_complete(state, [_credential(found)], answer)
    except (*_MALFORMED, Authenticator.DoesNotExist) as error:
        raise PasskeyRefused() from error
    data = response.response.authenticator_data
    if not data.is_user_verified() or not _use(found, data, str(state["challenge"])):
        raise PasskeyRefused()
    return found


def passkeys_of(user: User) -> list[Authenticator]:
    """Return the passkeys of an account, the oldest first."""
    found = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return list(found.order_by("pk"))


# A challenge is used up together with the count, so that one answer is good once among many at
# once. Many passkeys always count 0; a smaller count is that of a copy.
_USE = """
UPDATE mfa_authenticator
SET data = data || jsonb_build_object('count', %s::bigint, 'challenge', %s::text),
    last_used_at = statement_timestamp()
WHERE id = %s AND data->>'challenge' IS DISTINCT FROM %s
  AND (%s > (data->>'count')::bigint OR (%s = 0 AND (data->>'count')::bigint = 0))
"""


def _use(passkey: Authenticator, data: AuthenticatorData, challenge: str) -> bool:
    count = data.counter
    with connection.cursor() as cursor:
        cursor.execute(_USE, [count, challenge, passkey.pk, challenge, count, count])
        return cursor.rowcount == 1


def _server() -> Fido2Server:
    site = PublicKeyCredentialRpEntity(id=relying_party_id(), name=SITE_NAME.value)
    # fido2's own rule would let every host below this one sign in here.
    return Fido2Server(site, verify_origin=lambda given: given == origin())


def _credential(passkey: Authenticator) -> AttestedCredentialData:
    return AttestedCredentialData(websafe_decode(passkey.data["credential"]))


def _remember(request: HttpRequest, purpose: Purpose, state: Mapping[str, Any]) -> None:
    request.session[f"passkey.{purpose}"] = [state["challenge"], time.time()]


def _recall(request: HttpRequest, purpose: Purpose) -> dict[str, Any]:
    """Return the state of a ceremony, once. Raise ``PasskeyRefused`` if there is none."""
    challenge, begun_at = request.session.pop(f"passkey.{purpose}", ("", 0.0))
    if not challenge or time.time() - begun_at > CEREMONY_SECONDS or not relying_party_id():
        raise PasskeyRefused()
    return {"challenge": challenge, "user_verification": _VERIFIED}
