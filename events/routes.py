"""The log's path whose waiting requests are answered before Django."""

EVENTS = "/api/v1/events/"
