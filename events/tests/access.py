"""The access to the event log."""

from tests.access import (
    ADMIN_READ_ONLY,
    NO_METHOD,
    READERS,
    SIGNED_OUT,
    Access,
    api,
    in_admin,
)

NOT_SIGNED_IN = dict.fromkeys(SIGNED_OUT, "4401")
TO_ALL = {"default": "hello", **NOT_SIGNED_IN}
TO_READERS = {"default": "4403", **dict.fromkeys(READERS, "hello"), **NOT_SIGNED_IN}

ACCESS = Access(
    # Apps write events; no route does.
    objects=lambda owner: {"admin/events/event/": 1},
    api={
        "api/v1/events/": {"GET": api(), "POST": NO_METHOD},
        "api/v1/events/types/": {"GET": api(), "POST": NO_METHOD},
    },
    pages=in_admin("events/event", ADMIN_READ_ONLY),
    sockets={
        "ws/purchases/?scope=mine": TO_ALL,
        "ws/purchases/?scope=all": TO_READERS,
        "ws/events/?scope=mine&types=*": TO_ALL,
        "ws/events/?scope=all": TO_READERS,
    },
)
