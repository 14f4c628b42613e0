"""Bulk bodies: broken CSV, NDJSON and JSON."""

import json

import pytest

from tests.inputs.bad import BAD_JSON
from tests.inputs.wire import BULK, http
from tests.system import System

pytestmark = pytest.mark.system


BAD_CSV = [
    b"",
    b"\n",
    b"item\nx\n",
    b"price,price\n1,2\n",
    b'price,item\n1,"open\n2,x\n',
    b'price,item\n1,"a"b\n2,"c""d"\n',
    b"price,item\n1\n1,2,3\n",
    b"price,item\n1,\xff\xfe\n",
    b"price,item\n1,a\x00b\n",
    b"\xef\xbb\xbfprice,item\n-1,x\n",
    b"price,item\r1,x\r",
    b"price;item\n1;x\n",
    b"price," + b"x" * 20_000 + b"\n1,2\n",
    b"price,item\n1," + b"x" * 20_000 + b"\n",
    b'price,item\n"' + b"1,x\n" * 5000,
    b"," * 16_000 + b"price\n",
]
BAD_LINES = {
    "text/csv": BAD_CSV,
    "application/x-ndjson": [*BAD_JSON, b"\n".join(BAD_JSON[1:]), b"\n" * 100_000],
    "application/json": [*BAD_JSON, b"[" + b",".join(BAD_JSON[5:7]), b"[{},]", b"[]x", b"[1][2]"],
}


@pytest.mark.parametrize("content_type", BAD_LINES)
def test_bulk_bodies_that_are_broken(system: System, joe: str, content_type: str) -> None:
    for body in BAD_LINES[content_type]:
        path = f"{BULK}?dry_run=1"
        reply = http(system, "POST", path, body, joe, Content_Type=content_type)
        assert reply.status in (200, 400, 413), (body[:60], reply)
        assert reply.is_clear(BULK)
        if reply.status == 200:
            result = json.loads(reply.body)
            assert result["rejected"] == len(result["errors"])
