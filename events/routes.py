"""The log's path that is answered before Django sees a request that waits."""

EVENTS = "/api/v1/events/"
