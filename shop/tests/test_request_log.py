"""The log of requests names routes, and nobody."""

from django.test import RequestFactory

from shop.core.request_log import RequestLog


def test_no_name_is_in_the_log_of_requests() -> None:
    paths = {
        "/customers/canary/?item=canary": "GET /customers/<path:userid>/",
        "/search/?q=canary": "GET /search/",
        "/api/v1/accounts/canary/erasure/": "GET /api/v1/accounts/<str:userid>/erasure/",
        "/nowhere/canary/": "GET (no such route)",
    }
    for path, logged in paths.items():
        assert RequestLog.format_request(RequestFactory().get(path)) == logged
