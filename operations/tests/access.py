"""The access to operating figures."""

from tests.access import NO_METHOD, OPEN_NO_METHOD, Access, api, page

# Those who may read everybody's figures.
MAY = dict.fromkeys(("finance", "analyst", "operator", "auditor", "admin"), 200)
READ = {"GET": api(403, **MAY), "POST": NO_METHOD}

PAGE = {"GET": page(403, **MAY), "POST": OPEN_NO_METHOD}
WRITES = {"GET": api(403, **MAY), "POST": api(403, operator=201, admin=201)}

ACCESS = Access(
    api={
        "api/v1/operations/now/": READ,
        "api/v1/operations/series/": READ,
        "api/v1/operations/deploys/": WRITES,
        "api/v1/operations/deploys/<uuid:id>/effect/": {
            "GET": api(403, **dict.fromkeys(MAY, 404)),
            "POST": NO_METHOD,
        },
        "api/v1/operations/forecast/": READ,
        "api/v1/operations/instances/": READ,
    },
    pages={
        "operations/": PAGE,
        "operations/figures/": PAGE,
        "operations/deploys/<uuid:id>/": {
            "GET": page(403, **dict.fromkeys(MAY, 404)),
            "POST": OPEN_NO_METHOD,
        },
    },
    bodies={"api/v1/operations/deploys/": {"version": "1.1.0"}},
)
