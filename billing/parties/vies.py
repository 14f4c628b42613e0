"""Asking VIES, the EU's register of VAT ids, whether one is in force.

Its answers: https://ec.europa.eu/taxation_customs/vies/#/technical-information.
"""

import json
import ssl
import time
from contextlib import ExitStack

import requests
from django.conf import settings

CONNECT_SECONDS = 3
READ_SECONDS = 10
TOTAL_SECONDS = 15
ANSWER_MAX = 64 * 1024


class NotAnswered(Exception):
    """VIES said neither that the id is in force nor that it is not."""


def is_in_force(vat_id: str) -> bool:
    """Return whether VIES says that a VAT id is in force.

    Raise ``NotAnswered`` where it does not say, as while a member state's register is away.
    """
    try:
        with requests.Session() as session, ExitStack() as closing:
            # Neither a proxy nor a password of the machine's user is meant for this.
            session.trust_env = False
            session.verify = ssl.get_default_verify_paths().cafile or True
            response = session.post(
                f"{settings.BILLING_VIES_URL}/check-vat-number",
                json={"countryCode": vat_id[:2], "vatNumber": vat_id[2:]},
                headers={"Accept": "application/json"},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            closing.callback(response.close)
            body = _body(response)
            status = response.status_code
    except (requests.RequestException, OSError) as error:
        raise NotAnswered(type(error).__name__) from error
    return _verdict(status, body)


def _body(response: requests.Response) -> bytes:
    until = time.monotonic() + TOTAL_SECONDS
    body = b""
    for part in response.iter_content(16 * 1024):
        body += part
        if len(body) > ANSWER_MAX or time.monotonic() > until:
            raise NotAnswered("the answer is too long, or takes too long")
    return body


def _verdict(status: int, body: bytes) -> bool:
    """Return what an answer says. An error comes with status 200, too, and as not valid."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAnswered("no JSON") from error
    if status != 200 or not isinstance(found, dict) or found.get("actionSucceed") is False:
        raise NotAnswered(f"status {status}")
    valid = found.get("valid")
    meant = "VALID" if valid else "INVALID"
    said = found.get("userError") or meant
    if not isinstance(valid, bool) or said != meant:
        raise NotAnswered(f"{said!r}"[:80])
    return valid
