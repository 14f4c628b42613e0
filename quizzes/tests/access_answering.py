"""The access to what respondents' devices call: no account opens it, only an attempt's secret."""

from typing import Any

from tests.access import OPEN, OPEN_NO_METHOD, Rows

Q = "api/v1/q/"
ONE = f"{Q}<str:slug>/attempts/<uuid:id>/"
NO_SECRET = {"default": 401}

OBJECTS = {f"{Q}<str:slug>/attempts/": "01a21cf0-6d4e-71e1-8457-529e3448f810"}
API: Rows = {
    f"{Q}<str:slug>/": {"GET": OPEN, "POST": OPEN_NO_METHOD},
    ONE: {"GET": NO_SECRET, "POST": OPEN_NO_METHOD, "PUT": NO_SECRET},
    f"{ONE}finish/": {"GET": OPEN_NO_METHOD, "POST": NO_SECRET},
    f"{ONE}result/": {"GET": NO_SECRET, "POST": OPEN_NO_METHOD},
}
_STATE: dict[str, Any] = {"rev": 1, "version": 1, "language": "en", "answers": {}}
BODIES: dict[str, Any] = {f"PUT {ONE}": _STATE, f"{ONE}finish/": {"rev": 1, "answers": {}}}
