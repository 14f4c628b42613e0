"""The access to one's own data, and to the erasure of others'."""

from typing import Any

from accounts.models import User
from documents.models import Document
from tests.access import ELSEWHERE, NO_METHOD, OPEN_NO_METHOD, Access, api, page


def _objects(owner: User) -> dict[str, Any]:
    export = Document.objects.create(kind="export", requested_by=owner)
    return {"api/v1/accounts/me/exports/": export.pk}


# A token is no browser that has signed in just now.
RECENT = api(403)

ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/accounts/me/exports/": {"GET": NO_METHOD, "POST": RECENT},
        "api/v1/accounts/me/exports/<str:id>/": {"GET": api(404, owner=200), "POST": NO_METHOD},
        "api/v1/accounts/me/exports/<str:id>/archive/": {"GET": RECENT, "POST": NO_METHOD},
        "api/v1/accounts/me/erasure/": {"GET": api(404), "POST": RECENT, "DELETE": RECENT},
        "api/v1/accounts/<str:userid>/erasure/": {"GET": NO_METHOD, "POST": RECENT},
    },
    pages={
        "accounts/data/": {"GET": page(), "POST": ELSEWHERE},
        "accounts/data/cancel/": {"GET": OPEN_NO_METHOD, "POST": ELSEWHERE},
        # The session of the table was not signed in lately.
        "people/erasing/<path:userid>/": {
            "GET": page(403, admin=200),
            "POST": page(403, admin=302),
        },
    },
)
