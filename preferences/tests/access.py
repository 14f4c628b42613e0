"""The access to settings at run time."""

from tests.access import NO_METHOD, OPEN_NO_METHOD, READ_ONLY, Access, api, page

READERS = {"operator": 200, "auditor": 200, "admin": 200}
WRITERS = {"operator": 200, "admin": 200}

ACCESS = Access(
    api={
        "api/v1/settings/": {
            "GET": api(403, **READERS),
            "POST": NO_METHOD,
            "PATCH": api(403, **WRITERS),
        },
        "api/v1/settings/history/": {"GET": api(403, **READERS), "POST": NO_METHOD},
        "api/v1/settings/restore/": {"GET": NO_METHOD, "POST": api(403, **WRITERS)},
    },
    pages={
        "settings/": {
            "GET": page(403, **READERS),
            "POST": page(403, operator=302, admin=302),
        },
        "settings/history/": {"GET": page(403, **READERS), "POST": OPEN_NO_METHOD},
        "settings/restore/": {
            "GET": OPEN_NO_METHOD,
            "POST": page(403, operator=302, admin=302),
        },
        # There is no logo.
        "logo.png": {"GET": {"default": 404}, "POST": OPEN_NO_METHOD},
        "look.css": READ_ONLY,
    },
    bodies={
        "PATCH api/v1/settings/": {},
        "api/v1/settings/restore/": {"version": 0},
    },
)
