"""What no line of the log may hold: secrets, and what would make two lines of one.

``clean`` makes any event safe for every sink. Keys, tokens and passwords are recognised by the name
they go by, by their form, or because this process was started with them. So are numbers of cards
and the names of mailboxes. All other control
characters are shown as their escapes, and what is too long is cut.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

HIDDEN = "[redacted]"
TEXT_MAX = 8_192
"""Characters of one text."""
EXCEPTION_MAX = 16_384
EVENT_MAX = 32_768
"""Characters of one event; what is over is left out."""
FIELDS_MAX = 64
ITEMS_MAX = 50
NAME_MAX = 64
DEPTH_MAX = 4
_NODE = 8
COUNT_MAX = 10_000
"""A number of tokens or tickets is smaller, and a code that somebody types is not."""

# Anybody can write long texts into a line. So what is before a secret is bounded, because it is
# looked for from each place of a text anew.
_WORDS = (
    "passw(?:or)?[dt]|passwd|passphrase|passcode|pwd|kennwort|secrets?(?:[-_]?keys?)?|tokens?|tickets?|set[-_]?cookies?|cookies?|"
    "(?:proxy[-_]?)?authorization|credentials?|api[-_]?keys?|private[-_]?keys?|key[-_]?text|"
    "access[-_]?keys?|sessionid|session[-_]?keys?|csrf\\w{0,40}|otp|totp|pepper|dsn|signatures?|"
    "x[-_]shop[-_]key|assertion|verifier|jwt|cv[cv]2?|card[-_]?numbers?|iban"
)
# A name ends with what it is: a token_id, a password_changed_at and a cookie_name are no secrets.
_NAME = re.compile(rf"(?:^|[-_.\s])\w*(?:{_WORDS})(?:_?\d{{1,6}})?$", re.I)
_DIGEST = re.compile(r"(?:hash|digest|commitment|sha\d*|checksum|previous|etag|version)$", re.I)

_ESCAPED = r"(?:%{1,2}(?:25){0,4}2[27]|\\{1,8}u002[27]|&quot;|&#3[49];|&#x2[27];)"
_IN_TEXT = re.compile(
    # The name, perhaps in quotation marks, and what separates it from the value. The quotation
    # marks of a text in another text have backslashes before them, or are escaped as in URLs, JSON
    # and HTML. An option of a command has a space between them.
    rf"""(?P<name>(?<![\w-])--(?=\w)[\w-]{{0,40}}(?:{_WORDS})\s+(?!-)|<(?:\w+:)?(?:{_WORDS})>|"""
    rf"""(?:{_WORDS})(?:_?\d{{1,6}})?(?:\\{{0,8}}["']|{_ESCAPED})?\s*(?:=>|[=:]|%{{1,2}}(?:25){{0,4}}3[AaDd])\s*{_ESCAPED}?)"""
    # A value in quotation marks, a header with its scheme, or one word.
    r"""(?!\[redacted\])(?:[\[({][^\])}\r\n]*|b?(?P<mark>\\{0,8}["'])(?:(?!(?<!\\)(?P=mark))[^\r\n])*(?:(?P=mark))?"""
    r"""|(?:Bearer|Basic|Token|Digest|Negotiate|ApiKey)\s+[^\s"',;&]+|[^\s"'&,;)}\]]+)""",
    re.I,
)
_COOKIES = re.compile(
    r"""(?P<name>cookie\\{0,8}["']?\s*[:=]\s*b?\\{0,8}["']?)(?!\[redacted\])[^\r\n"']+""", re.I
)
_CREDENTIALS = re.compile(
    r"""(?<![\w/@])[^\s/?#"'<>:@,;=(){}\[\]\\]{1,64}:[^\s/?#"'<>@]{1,256}@(?=[\w\[])"""
)
_ADDRESS = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?=[\w-]{1,63}(?:\.[\w-]{1,63})+)")
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])")
_CREDENTIALS_IN_URL = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,20}://)[^\s/?#\"'<>]*@", re.I)
_SCHEME = re.compile(
    r"\b(?P<scheme>(?i:Bearer|Basic|Token|Digest|Negotiate|ApiKey))\s+"
    # A word in small letters is one of a sentence.
    r"(?![a-z]+(?:[\s.,;:!?)'\"]|$))[A-Za-z0-9._~+/=-]{4,}"
)
_FORMS = re.compile(
    r"\b(?P<kind>shk_|whsec_|(?:sk|rk)_(?:live|test)_|gh[pousr]_|xox[abprs]-|AKIA)[\w+/=-]{2,}"
    # A JWT, and what was encrypted in the same way. A first part without an end would be looked
    # through once more from each place in it.
    r"|\beyJ[\w-]{4,1000}+(?:\.[\w-]*){1,4}"
    # 32 random bytes in base64: tickets, tokens of invitations, verifiers.
    r"|(?<![\w/+-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[A-Za-z0-9_-]{40,90}={0,2}(?![\w-])"
)
_HEXADECIMAL = re.compile(r"(?<![\w:-])[0-9a-f]{64}(?![\w-])")
_PATHS = re.compile(
    r"(?P<before>/(?:password/reset/key|confirm-email|invitations?|login/code)/)[\w:-]{8,}"
)
# Lone surrogates stand for bytes that are no UTF-8. The last ones turn the direction of a text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_IN_EXCEPTION = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))

_known: "re.Pattern[str] | None" = None


def know(secrets: Iterable[str]) -> None:
    """Hide these texts from now on, wherever they are; short ones could be any word."""
    global _known
    found = sorted({text for text in secrets if len(text) >= 8}, key=len, reverse=True)
    _known = re.compile("|".join(map(re.escape, found))) if found else None


def is_secret(name: str) -> bool:
    """Return whether a field of that name holds a secret."""
    return bool(_NAME.search(name))


def hide(text: str, *, digests: bool = True) -> str:
    """Return the text without secrets; ``digests`` hides what may be one or the digest of one."""
    if _known:
        text = _known.sub(HIDDEN, text)
    if "@" in text:
        text = _CREDENTIALS_IN_URL.sub(rf"\g<scheme>{HIDDEN}@", text)
        text = _CREDENTIALS.sub(f"{HIDDEN}@", text)
        text = _ADDRESS.sub(f"{HIDDEN}@", text)
    text = _COOKIES.sub(rf"\g<name>{HIDDEN}", text)
    text = _IN_TEXT.sub(rf"\g<name>{HIDDEN}", text)
    text = _SCHEME.sub(rf"\g<scheme> {HIDDEN}", text)
    text = _PATHS.sub(rf"\g<before>{HIDDEN}", text)
    text = _CARD.sub(_card, text)
    text = _FORMS.sub(lambda found: f"{found['kind'] or ''}{HIDDEN}", text)
    return _HEXADECIMAL.sub(HIDDEN, text) if digests else text


def _card(found: "re.Match[str]") -> str:
    """Return what stands for a number that may be that of a card, by its check digit."""
    digits = [int(each) for each in found[0] if each.isdigit()][::-1]
    doubled = (sum(divmod(2 * each, 10)) for each in digits[1::2])
    return HIDDEN if (sum(digits[::2]) + sum(doubled)) % 10 == 0 else found[0]


def one_line(text: str) -> str:
    """Return the text with every control character as its escape."""
    return _CONTROL.sub(_escape, text)


def clean(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event as texts, numbers, lists and dictionaries that any sink may have."""
    return _Cleaner().mapping(event, 0)


class _Cleaner:
    """Cleans one event. What comes after so many characters is left out."""

    def __init__(self) -> None:
        self._left = EVENT_MAX

    def mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, value in islice(values.items(), FIELDS_MAX):
            key = one_line(hide(_text(name)[: NAME_MAX * 4]))[:NAME_MAX]
            cleaned[key] = self._value(key, value, depth)
        if len(values) > FIELDS_MAX:
            cleaned["more_fields"] = len(values) - FIELDS_MAX
        return cleaned

    def _value(self, name: str, value: Any, depth: int) -> Any:
        self._left -= len(name) + _NODE
        if value is None or isinstance(value, bool):
            return value
        if self._left <= 0:
            return "…"
        if isinstance(value, int):
            return _number(name, value)
        if isinstance(value, float):
            # JSON has no name for what is no number.
            return value if value - value == 0 else str(value)
        if is_secret(name) and value != "":
            return HIDDEN
        if depth < DEPTH_MAX:
            if isinstance(value, Mapping):
                return self.mapping(value, depth + 1)
            if isinstance(value, list | tuple | set | frozenset):
                items = [self._value("", item, depth + 1) for item in islice(value, ITEMS_MAX)]
                return items if len(value) <= ITEMS_MAX else [*items, f"… {len(value)} items"]
        text = _exception(_text(value)) if name == "exception" else _short(name, _text(value))
        self._left -= len(text)
        return text


def _number(name: str, value: int) -> Any:
    if is_secret(name) and abs(value) >= COUNT_MAX:
        return HIDDEN
    if 10**12 < value < 10**19 and _CARD.sub(_card, str(value)) == HIDDEN:
        return HIDDEN
    # A database and many a reader of JSON know 64 bits, and Python writes no number of any length
    # in decimal.
    return int(value) if -(1 << 63) <= value < 1 << 63 else hex(value)[:TEXT_MAX]


def _exception(text: str) -> str:
    if len(text) > EXCEPTION_MAX:
        half = EXCEPTION_MAX // 2
        text = f"{text[:half]}\n… {len(text)} characters\n{text[-half:]}"
    return _CONTROL_IN_EXCEPTION.sub(_escape, hide(text))


def _short(name: str, text: str) -> str:
    # What a cut would leave of a secret is not recognised, so the cut is made twice.
    full = len(text)
    text = one_line(hide(text[: 2 * TEXT_MAX], digests=not _DIGEST.search(name)))
    return text if max(full, len(text)) <= TEXT_MAX else f"{text[:TEXT_MAX]}… {full} characters"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[: 4 * TEXT_MAX]).decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _escape(found: "re.Match[str]") -> str:
    return found[0].encode("unicode_escape").decode("ascii")
