"""Requests about purchases, good and bad, generated from a seed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

API, BUY, PREFIXED = "/api/v1/purchases/", "/buy", "/scalable-shop-cm-server/buy"
JSON = "application/json"
# Marks the purchases, keys and customers of the two runs. It can stand wherever six digits can, as
# in microseconds, and both runs' answers have the same length.
RUN, OTHER_RUN = "271828", "314159"

# Parts of a body as JSON text.
GOOD = {
    "item": [
        json.dumps(text, ensure_ascii=False)
        for text in (
            "",
            "   ",
            "  book  ",
            "NULL",
            'a "quoted" book',
            "back\\slash \\",
            "{a,b}",
            "it's 100 %s %(x)s {}",
            "Bücher für Ärzte",
            "書籍",
            "كتاب",
            "e\u0301 \u200b \u2028 \ufeff",
            "\U0001f4da\U0001f469\u200d\U0001f52c",
            "</script><b>&amp;",
            "x" * 200,
            "\U0001f4da" * 200,
            " " + "x" * 200 + " ",
        )
    ]
    + [r'"\ud83d\udcda \u00fc \/ \""'],
    "quantity": ["1", '"3"', '" 7 "', '"+5"', '"0005"', "2.0", "1e3", "1000000"],
    "price": [
        *("0", "-0", "-0.0", "7", "12.5", "12.50", "1e2", "1E+2", "1.0e1", "12e-1"),
        *('"0"', '"-0"', '"7"', '"12.5"', '"12.50"', '" 5 "', '"+5"', '"007.10"'),
        *("9999999999.99", '"9999999999.99"', "9999999999"),
    ],
    "currency": ['"EUR"', '"USD"', '"JPY"', '"XXX"'],
    "timestamp": [
        "null",
        f'"2024-02-29T23:59:59.{RUN}Z"',
        f'"2024-05-31t15:54:32.{RUN}z"',
        f'"2024-05-31 15:54:33.{RUN}+02:00"',
        f'"2024-05-31T15:54:34,{RUN}-0930"',
        f'"2024-05-31T15:54:35.{RUN}999+14"',
        f'" 2024-05-31T15:54:36.{RUN}Z "',
        f'"0001-01-01T00:00:00.{RUN}Z"',
        '"2024-05-31T15:54:32.204Z"',
        '"2024-05-31T15:54:32Z"',
        '"2024-05-31T15:54Z"',
        '"1969-12-31T23:00:00.5+00:00"',
    ],
}
BAD = {
    "item": [
        *(
            json.dumps(text)
            for text in ("x" * 201, "\U0001f4da" * 201, "a\0b", "a\tb", "\x85.\x7f")
        ),
        *(r'"\ud800"', "null", "5", "true", "[]", "{}"),
    ],
    "quantity": [
        *("0", "-1", "1000001", "1.5", "1e30", "1e-3", "99999999999999999999999", "true", "null"),
        *('""', '"x"', '"1.5"', '"1e3"', '"0"', '"٣"', "[]", '"99999999999999999999999"'),
    ],
    "price": [
        *("-1", "-0.01", "1.234", "1.230", "10000000000", "1e300", "1e-3", "0.1e-400"),
        *("1e999999999", "1e9999999999999999999", "true", "null", "[]", "{}", "1" * 5000),
        *('"-0.01"', '"1.234"', '"1.230"', '"10000000000"', '"1e2"', '"x"', '""', '"1,5"'),
        *('"NaN"', '"Infinity"', '".5"', '"5."', '"٣"', '"1_000"', f'"{"1" * 41}"', "NaN"),
    ],
    "currency": ['"eur"', '"EURO"', '"XXY"', '""', '" EUR"', "null", "978"],
    "timestamp": [
        *('"yesterday"', '""', '"2024-05-31"', '"2024-05-31T15:54:32"', '"2024-02-30T00:00:00Z"'),
        *('"2024-05-31T15:54:60Z"', '"2024-05-31T15:54:32+25:00"', '"0001-01-01T00:00:00+01:00"'),
        *('"2999-05-31T15:54:32Z"', '"9999-12-31T23:59:59-14:00"', "1717170872", "true", "[]"),
    ],
    "userid": ['""', '"  "', f'"{"x" * 500}"', r'"a\u0000"', "5", "[]"],
    "username": ['""', '"  "', f'"{"x" * 500}"', r'"a\u0000"', "5", "{}"],
}
# The same value in different spellings.
SPELLINGS = {
    "price": ["5", '"5.00"', "5.0", "50e-1", '" +5 "'],
    "quantity": ["3", '"3"', "3.0", "3e0"],
    "timestamp": [
        f'"2022-01-01T10:00:00.{RUN}Z"',
        f'"2022-01-01T12:00:00.{RUN}+02:00"',
        f'"2022-01-01t06:30:00,{RUN}999-0330"',
    ],
}
NO_PURCHASES = [
    *(b"", b" ", b"{", b"{}", b"[]", b"[{}]", b"3", b"null", b'"x"', b"\xff", b"[" * 5000),
    *(b'{"price":1', b'{"price":1,}', b'{"price":01}', b"{'price':1}", b'{"price":1}}', b"price=1"),
    *(b'{"price":NaN}', b'\xef\xbb\xbf{"price":1}', '{"price":1}'.encode("utf-16")),
    *(b'{"item":"\xe9","price":1}', b'{"price":1,"price":"x"}', b'"\\ud800"'),
]
CONTENT_TYPES = [
    *(None, "", "text/plain", "text/csv", "application/x-www-form-urlencoded", "application/jsonx"),
    *("APPLICATION/JSON", "application/json; charset=utf-8", "application/json;charset=nonsense"),
    *(" application/json ", "application/json ; v=1", "application/json, text/plain", "nonsense"),
]
ACCEPTS = ["*/*", JSON, "text/html", "text/html, */*;q=0.8", "application/*", "nonsense", ";q=,"]
HEADERS = [
    ("Authorization", "Token {till}"),
    ("Connection", "close"),
    ("Content-Encoding", "gzip"),
    ("Cookie", "sessionid=0123456789abcdef"),
    ("Expect", "100-continue"),
    ("Host", "elsewhere.example"),
    ("Idempotency_Key", "not a key"),
    ("Origin", "https://elsewhere.example"),
    ("X-HTTP-Method-Override", "GET"),
]
# "{}" becomes seven characters that make the key unique to a request.
KEYS = [
    *("", " ", "{}" + "x" * 248, "{}" + "x" * 249, "{}" + "é" * 248, "{} a\x85b", "{} \xa0"),
    *("{} in words", " {} with spaces ", '{} "quoted\\"', "{} \xfcml\xe4ut"),
    "{} " + "ключ".encode().decode("latin-1"),
]
NO_TOKENS = [
    *(None, "Token", "Token ", "Token x", "Token " + "0" * 64, "Token " + "x_-" * 9),
    *(
        "Basic am9lOmpvZQ==",
        "Bearer {joe}",
        "{joe}",
        "Token {joe} {joe}",
        "Token {joe}, Token {till}",
    ),
]
TOKENS = ["token {joe}", "TOKEN {till}", "Token   {joe}", "Token {staff} ", "Token\t{joe}"]
# The view adds this header, the batched path does not.
VIEW = "content-security-policy"
CALLERS = {name: f"Token {{{name}}}" for name in ("joe", "till", "staff")}


@dataclass(frozen=True)
class Request:
    """A request. ``authorization`` names the owner of its token in braces."""

    path: str
    authorization: str | None
    body: bytes
    key: str | None = None
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()

    def of_other_run(self) -> "Request":
        """Return the same request about other purchases, for the Django view."""
        return replace(
            self,
            path=self.path.rstrip("?") + "?plain",
            body=self.body.replace(RUN.encode(), OTHER_RUN.encode()),
            key=self.key and self.key.replace(RUN, OTHER_RUN),
            headers=tuple((name, value.replace(RUN, OTHER_RUN)) for name, value in self.headers),
        )


UNKNOWN = Request(BUY, "Token " + "0" * 64, b'{"price":1}')


def _body(parts: dict[str, str], comma: str = ",", colon: str = ":") -> bytes:
    text = comma.join(f'"{name}"{colon}{part}' for name, part in parts.items())
    return f"{{{text}}}".encode()


def _names(userid: str | None, username: str | None) -> dict[str, str]:
    names = {"userid": userid, "username": username}
    return {name: json.dumps(value) for name, value in names.items() if value is not None}


class Requests:
    """Makes requests. Each is about a new purchase unless it says otherwise."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.made = 0
        self.respelled: list[Request] = []

    def parts(self, **given: str) -> dict[str, str]:
        """Return the parts of a good body, with some of them given."""
        self.made += 1
        number, choice = self.made, self.random.choice
        parts = {
            "item": json.dumps(f"{RUN} {number} " + choice(["book", "Bücher", "\\'\"", "📚"])),
            "price": choice([f"{number}.5", f'"{number}.50"', f"{number}", f"{number}5e-1"]),
            "timestamp": f'"2023-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}'
            f':{choice(["00", "59"])}.{RUN}{choice(["Z", "+00:00", "-03:30"])}"',
        }
        for name in ("quantity", "currency"):
            if self.random.random() < 0.3:
                parts[name] = choice(GOOD[name])
        if self.random.random() < 0.1:
            parts |= {"extra": "[1,{}]", "id": '"mine"', "total": '"0.01"'}
        return parts | given

    def request(self, caller: str = "", path: str = "", **given: str) -> Request:
        """Return a request of the parts. An empty caller or path means a random one."""
        choice = self.random.choice
        parts = list(self.parts(**given).items())
        self.random.shuffle(parts)
        comma, colon = choice([(",", ":"), (", ", ": "), ("\n,", "\t: ")])
        request = Request(
            # An empty query is batched, too, but by the middleware and not by the protocol.
            path or choice([API, API, API + "?", BUY, BUY + "?", PREFIXED]),
            CALLERS[caller or choice(list(CALLERS))],
            _body(dict(parts), comma, colon),
        )
        timestamp = given.get("timestamp", RUN)
        own = RUN in timestamp or timestamp == "null"
        return request if own and self.random.random() < 0.7 else self.keyed(request)

    def keyed(self, request: Request) -> Request:
        """Return the request with a key of its own."""
        self.made += 1
        return replace(request, key=f"{RUN}-{self.made}")

    def first(self) -> Iterator[Request]:
        """Yield requests that are independent of each other."""
        yield from self._of_parts()
        yield from self._of_envelopes()
        yield from self._of_customers()
        for name, (spelling, *others) in SPELLINGS.items():
            parts = self.parts(quantity="3", currency='"EUR"', price="1.00") | {name: spelling}
            request = Request(API, CALLERS["joe"], _body(parts))
            self.respelled += [replace(request, body=_body(parts | {name: s})) for s in others]
            yield request

    def _of_parts(self) -> Iterator[Request]:
        for parts in (GOOD, BAD):
            for name, spellings in parts.items():
                for spelling in spellings:
                    yield self.request(**{name: spelling})
        for _ in range(30):
            names = self.random.sample(sorted(BAD), self.random.randint(2, 4))
            yield self.request(**{name: self.random.choice(BAD[name]) for name in names})

    def _of_envelopes(self) -> Iterator[Request]:
        for body in NO_PURCHASES:
            yield replace(self.request(), body=body)
        for path in (API, BUY):
            for size in (64 * 1024, 64 * 1024 + 1):
                request = self.request(path=path)
                yield replace(request, body=request.body.rjust(size))
            request = self.request(path=path)
            yield replace(
                request,
                body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(request.body), request.body),
                headers=(("Transfer-Encoding", "chunked"),),
            )
            for content_type in CONTENT_TYPES:
                yield replace(self.request(path=path), content_type=content_type)
            for accept in ACCEPTS:
                yield replace(self.request(path=path), headers=(("Accept", accept),))
                yield replace(self.request(path=path, price="-1"), headers=(("Accept", accept),))
            for key in KEYS:
                yield replace(self.request(path=path), key=key.format(RUN + path[1]))
            for header in HEADERS:
                yield replace(self.request(path=path), headers=(header,))
            again = ("Idempotency-Key", f"{RUN} again {path[1]}")
            yield replace(self.keyed(self.request(path=path)), headers=(again,))
            for authorization in (*NO_TOKENS, *TOKENS):
                yield replace(self.request(path=path), authorization=authorization)
                bad = self.request(path=path, price='"x"')
                yield replace(bad, authorization=authorization)

    def _of_customers(self) -> Iterator[Request]:
        for path in (API, BUY):
            for caller in CALLERS:
                new = f"{RUN} {caller} {path[1]}"
                for userid, username in (
                    ("005", None),
                    (None, "joe"),
                    (None, " JOE "),
                    ("005", "joe"),
                    ("006", "ann"),
                    ("006", None),
                    ("005", "ann"),
                    ("005", f"{new} nobody"),
                    (f"{new} nobody", "joe"),
                    (None, f"{new} nobody"),
                    (f"{new} 1", None),
                    (f"{new} 2", f"{new} Ünïcode 📚"),
                    (f"{new} 3", f'{new} "quoted\\'),
                    (f"{new} 4", f"{{{new},NULL}}"),
                ):
                    yield self.request(caller, path, **_names(userid, username))

    def second(self, recorded: Sequence[Request]) -> Iterator[Request]:
        """Yield requests that relate to recorded purchases."""
        yield from self.respelled
        # A chunked body cannot be replaced, because the result would be no HTTP.
        keyed = [
            request
            for request in recorded
            if request.key is not None and "Transfer-Encoding" not in dict(request.headers)
        ]
        for request in self.random.sample(keyed, 40):
            other = self.request()
            yield replace(request, body=other.body)
            if request.authorization != other.authorization:
                yield replace(request, authorization=other.authorization)
            if request.path != other.path:
                yield replace(request, path=other.path)
        for path in (API, BUY):
            for caller in ("till", "staff"):
                new = f"{RUN} {caller} {path[1]}"
                for userid, username in (
                    (f"{new} 1", f"{new} 1"),
                    (None, f"{new} 1"),
                    (f"{new} 1", f"{new} 2"),
                    (f"{new} 2", None),
                    (None, f"{new} üNÏCODE 📚"),
                    (f"{new} 2", f"{new} üNÏCODE 📚"),
                    (f"{new} 9", f"{new} üNÏCODE 📚"),
                    (f"{new} 3", "joe"),
                    ("005", f"{{{new},NULL}}"),
                ):
                    yield self.request(caller, path, **_names(userid, username))
            # Several times at once: with a key, with equal content only, and with nothing that
            # identifies a repeat.
            request = self.request("joe", path)
            yield from [self.keyed(request)] * 4
            yield from [replace(request, key=None)] * 4
            yield from [replace(self.request("joe", path, timestamp="null"), key=None)] * 4
