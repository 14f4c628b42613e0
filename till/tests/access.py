"""The access to the till."""

from tests.access import OPEN_NO_METHOD, READ_ONLY, Access, page

ACCESS = Access(
    pages={
        # Signed-in actors send a form without a price, which records nothing.
        "till/": {"GET": page(), "POST": page(400)},
        "till/session/": READ_ONLY,
        "till/worker.js": READ_ONLY,
        "till/manifest.webmanifest": READ_ONLY,
        "till/customers/": {"GET": page(403, client=200, admin=200), "POST": OPEN_NO_METHOD},
    },
)
