"""Failed sign-ins: how many there may be, and how they keep nobody else out.

What is counted is the pair of a network address and a name, so that whoever fails at joe's account
locks out joe only at that very address. Against guesses from many addresses a name as a whole has
a limit too; when that is reached, only addresses that this name has signed in from may go on.
An account is one name, however it is spelled. Names that nobody has are counted in the same way, so
that nothing here tells which there are.
"""

from contextlib import suppress
from hashlib import sha256

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest

from shop.core.admission import network_of
from shop.core.errors import ApplicationError

AT_ONE_ADDRESS = 5
AT_ONE_ADDRESS_SECONDS = 5 * 60
EVERYWHERE = 100
EVERYWHERE_SECONDS = 3600
KNOWN_SECONDS = 90 * 24 * 3600


class TooManyAttempts(ApplicationError):
    """Too many sign-ins failed; whether one more would have succeeded is not told."""

    status = 429
    code = "throttled"
    detail = "Too many failed sign-ins. Try again later."
    retry_after = AT_ONE_ADDRESS_SECONDS


class Attempt:
    """One attempt to sign in. It counts as failed until :meth:`succeed` is called."""

    def __init__(self, request: HttpRequest, name: str) -> None:
        """``name`` stands for one account, or for one name that nobody has."""
        address = network_of(get_adapter().get_client_ip(request))
        self._pair = _key("pair", address, name)
        self._name = _key("name", name)
        self._known = _key("known", address, name)

    def begin(self) -> None:
        """Count the attempt; raise ``TooManyAttempts`` where there were too many.

        It is counted before the password is looked at, so that many at once are no more than one
        after the other.
        """
        if _count(self._pair, AT_ONE_ADDRESS_SECONDS) > AT_ONE_ADDRESS:
            raise TooManyAttempts()
        if _count(self._name, EVERYWHERE_SECONDS) > EVERYWHERE and not cache.get(self._known):
            raise TooManyAttempts()

    def succeed(self) -> None:
        """Take the attempt back, and remember the address as one of this name's."""
        cache.delete(self._pair)
        with suppress(ValueError):
            cache.decr(self._name)
        cache.set(self._known, 1, KNOWN_SECONDS)


def _key(kind: str, *parts: str) -> str:
    return f"sign-in:{kind}:{sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()}"


def _count(key: str, seconds: int) -> int:
    """Count up, within a window of ``seconds`` that begins with the first."""
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key)
    except ValueError:
        # The window ended between the two.
        cache.set(key, 1, seconds)
        return 1
