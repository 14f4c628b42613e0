"""The log's paths that are answered before Django, or that Django never sees."""

EVENTS = "/api/v1/events/"
FEEDS = frozenset({"/ws/purchases/", "/ws/events/"})
