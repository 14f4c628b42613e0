"""An authenticator in software, which can be told to do what real ones do not."""

import json
import os
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class SoftAuthenticator:
    """One passkey: makes it, and signs with it, by the options that a site sends."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.verified = True
        self.count = 0
        self.id = os.urandom(32)
        self.handle = b""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: dict[str, Any]) -> str:
        """Return the answer to the options of a registration."""
        public = options["publicKey"]
        self.handle = websafe_decode(public["user"]["id"])
        key = cbor.encode(dict(ES256.from_cryptography_key(self._key.public_key())))
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        data = self._data(public["rp"]["id"], ATTESTED) + attested
        made = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", public), attestationObject=made
        )

    def sign(self, options: dict[str, Any], handle: bytes | None = None) -> str:
        """Return the answer to the options of a sign-in."""
        public = options["publicKey"]
        data = self._data(public["rpId"], 0)
        client = self._client_data("webauthn.get", public)
        signature = self._key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=client,
            authenticatorData=data,
            signature=signature,
            userHandle=self.handle if handle is None else handle,
        )

    def _data(self, site: str, flags: int) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verified else 0)
        return sha256(site.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, public: dict[str, Any]) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": public["challenge"], "origin": self.origin}
        ).encode()

    def _answer(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": websafe_encode(self.id),
                "rawId": websafe_encode(self.id),
                "type": "public-key",
                "response": {name: websafe_encode(value) for name, value in response.items()},
                "clientExtensionResults": {},
            }
        )
