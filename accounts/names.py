"""Usernames and userids: how they are written, which are the same, and which may be new.

Names are stored in NFC. Two usernames are the same if their keys are: NFKC, then Unicode's full
case folding. PostgreSQL makes the key, for the unique index and for every look-up, with its builtin
collation, which is the same in every locale. ``fold`` makes the key in Python, for names that are
compared only with each other. The two differ only for letters newer than Python's tables. Userids
are compared exactly.

The rules for new names do not concern accounts that have an older name.
"""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.db.models import CharField, Func
from django.utils.deconstruct import deconstructible

KEY = 'normalize(casefold(normalize({}, NFKC) COLLATE "pg_unicode_fast"), NFKC)'
TYPED_MAX_LENGTH = 1024
"""No spelling of a name is longer. Sorting the marks of a text takes the square of their number."""
SYSTEM = "system:"
# The names of system accounts before they had a prefix of their own.
RESERVED = frozenset({"importer"})

_SEPARATORS = frozenset("/\\")
# Clients and proxies read these as steps in a path.
_STEPS = frozenset({".", ".."})
# Controls, formats such as bidirectional and zero-width characters, lone surrogates, private and
# unassigned characters, and separators of lines.
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are invisible.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})
# Scripts whose letters look like Latin ones.
_ALIKE = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "LISU"})


class NameKey(Func):
    """The key of a username, as PostgreSQL makes it."""

    template = KEY.format("%(expressions)s")
    output_field = CharField()


class KeysEnd(Func):
    """The end of the range of keys that begin as the key of a text does."""

    # No character comes after this one, and the collation of keys orders by character.
    template = KEY.format("%(expressions)s") + " || '\U0010ffff'"
    output_field = CharField()


def normalise(name: str) -> str:
    """Return a username or userid as it is stored, in NFC; a text too long for one as it is."""
    if name.isascii() or len(name) > TYPED_MAX_LENGTH:
        return name
    return unicodedata.normalize("NFC", name)


def fold(username: str) -> str:
    """Return the key of a username."""
    if username.isascii():
        return username.lower()
    if len(username) > TYPED_MAX_LENGTH:
        return username.casefold()
    folded = unicodedata.normalize("NFKC", username).casefold()
    return unicodedata.normalize("NFKC", folded)


def same(one: str, other: str) -> bool:
    """Return whether two usernames are the same."""
    return one == other or fold(one) == fold(other)


@deconstructible
class SignInName:
    """A validator of usernames to sign in with: letters, marks, digits and ``@.+-_``."""

    def __call__(self, username: str) -> None:
        """Raise ``ValidationError`` with the code ``invalid`` for anything else."""
        if any(
            each not in "@.+-_" and unicodedata.category(each)[0] not in "LMN" for each in username
        ):
            raise ValidationError("Use letters, digits and @ . + - _ only.", code="invalid")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SignInName)

    __hash__ = None  # type: ignore[assignment]


@deconstructible
class NewUsername:
    """A validator of new usernames; codes ``reserved`` and ``invalid``."""

    def __call__(self, username: str) -> None:
        """Raise ``ValidationError`` for a name that misleads, or that no path can hold."""
        NewUserid()(username)
        for word in username.split():
            _check_scripts(word)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewUsername)

    __hash__ = None  # type: ignore[assignment]


@deconstructible
class NewUserid:
    """A validator of new userids; codes ``reserved`` and ``invalid``."""

    def __call__(self, userid: str) -> None:
        """Raise ``ValidationError`` for an id of a system account, or with invisible characters."""
        folded = fold(userid)
        if folded.startswith(SYSTEM) or folded in RESERVED:
            raise ValidationError("This name is reserved.", code="reserved")
        if _SEPARATORS & {*userid, *folded}:
            raise ValidationError("Slashes are not allowed.", code="invalid")
        if folded in _STEPS:
            raise ValidationError("This name leads elsewhere in an address.", code="invalid")
        if _INVISIBLE.search(userid) or not _INVISIBLE_CATEGORIES.isdisjoint(
            map(unicodedata.category, userid)
        ):
            raise ValidationError("Invisible characters are not allowed.", code="invalid")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewUserid)

    __hash__ = None  # type: ignore[assignment]


def _check_scripts(word: str) -> None:
    """Refuse letters of scripts that do not belong together, such as a Cyrillic о in ``joe``.

    The rule is "moderately restrictive" of Unicode's Technical Standard 39: one script, or Latin
    with one script that has no letters like Latin ones. East Asian scripts count as one.
    """
    letters = [letter for letter in unicodedata.normalize("NFKC", word) if letter.isalpha()]
    names = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters} - {"MODIFIER"}
    scripts = {"EAST ASIAN" if name in _EAST_ASIAN else name for name in names}
    others = scripts - {"LATIN"}
    if len(others) > 1 or (others & _ALIKE and "LATIN" in scripts):
        raise ValidationError("Letters of different scripts are not allowed.", code="invalid")
