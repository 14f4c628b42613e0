"""Metrics of the whole site come through the way on which probes are answered."""

from typing import Any

from django.http import HttpResponse

from shop.server.probes import Probes


def _echo(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return HttpResponse(environ["QUERY_STRING"].encode())


async def test_answers_are_shared_but_not_those_of_the_site() -> None:
    probes = Probes(_echo)
    answers: dict[bytes, bytes] = {}
    for query in (b"", b"scope=site", b"scope=process", b"a=1&scope=site", b"scope=sites"):

        async def send(message: Any, query: bytes = query) -> None:
            answers[query] = message.get("body", b"")

        scope = {
            "type": "http", "method": "GET", "path": "/metrics", "query_string": query,
            "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http",
            "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": "",
        }  # fmt: skip
        await probes(scope, None, send)
    assert answers == {
        b"": b"", b"scope=site": b"scope=site", b"scope=process": b"",
        b"a=1&scope=site": b"scope=site", b"scope=sites": b"",
    }  # fmt: skip
