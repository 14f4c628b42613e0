"""Failed sign-ins: how many there may be, without locking anybody else out.

The count is for a pair of network address and name. So a client that fails at joe's account locks
joe out only at that address. A name also has a limit of its own, against guesses from many
addresses. Once that is reached, only addresses that have signed in by this name before may go on.
All spellings of an account's names count together. Names of no account are counted alike, so
nothing tells which names exist.
"""

from contextlib import suppress
from hashlib import sha256

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from accounts.captcha.checks import passes
from shop.core.admission import network_of
from shop.core.errors import ApplicationError

AT_ONE_ADDRESS = 5
AT_ONE_ADDRESS_SECONDS = 5 * 60
EVERYWHERE = 100
EVERYWHERE_SECONDS = 3600
KNOWN_SECONDS = 90 * 24 * 3600


class TooManyAttempts(ApplicationError):
    """Too many sign-ins failed. The answer does not tell whether the next would have succeeded."""

    status = 429
    code = "throttled"
    detail = gettext_noop("Too many failed sign-ins. Try again later.")
    retry_after = AT_ONE_ADDRESS_SECONDS


class Attempt:
    """One attempt to sign in. It counts as failed until ``succeed`` is called."""

    def __init__(self, request: HttpRequest, name: str) -> None:
        """``name`` stands for one account, or for a name of no account."""
        self._request = request
        address = network_of(get_adapter().get_client_ip(request))
        self._pair = _key("pair", address, name)
        self._name = _key("name", name)
        self._known = _key("known", address, name)

    def begin(self) -> None:
        """Count the attempt. Raise ``TooManyAttempts`` if there were too many.

        A solved captcha passes the limit of one address, and not that of the name.

        Count before looking at the password, so that many attempts at once are no more than one
        after another.
        """
        captcha = getattr(self._request, "captcha_given", "")
        if _count(self._pair, AT_ONE_ADDRESS_SECONDS) > AT_ONE_ADDRESS and not passes(
            self._request, "sign_in", captcha
        ):
            raise TooManyAttempts()
        if _count(self._name, EVERYWHERE_SECONDS) > EVERYWHERE and not cache.get(self._known):
            raise TooManyAttempts()

    def succeed(self) -> None:
        """Take the attempt back, because the password was right."""
        cache.delete(self._pair)
        with suppress(ValueError):
            cache.decr(self._name)

    def remember(self) -> None:
        """Remember that this name has signed in from this address, by all its factors."""
        cache.set(self._known, 1, KNOWN_SECONDS)


def _key(kind: str, *parts: str) -> str:
    return f"sign-in:{kind}:{sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()}"


def _count(key: str, seconds: int) -> int:
    """Count within a window of ``seconds`` that begins with the first attempt."""
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key)
    except ValueError:
        # The window ended between the two commands.
        cache.set(key, 1, seconds)
        return 1
