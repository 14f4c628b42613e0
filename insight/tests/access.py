"""The access to the dashboard and the statistics."""

from tests.access import NO_METHOD, OPEN_NO_METHOD, READ, Access, api, page

_PAGE = {"GET": page(403, operator=200, **READ), "POST": OPEN_NO_METHOD}
# A client program has permissions for purchases only.
_OWN = {"GET": api(client=403), "POST": NO_METHOD}
_KINDS = ("sales", "items", "customers", "cohorts", "weekdays", "limits")

ACCESS = Access(
    objects=lambda owner: {"api/v1/statistics/": "sales"},
    api={
        **{f"api/v1/statistics/{kind}/": _OWN for kind in _KINDS},
        "api/v1/statistics/<str:kind>.csv": _OWN,
        "api/v1/statistics/<str:kind>.xlsx": _OWN,
    },
    pages={
        "dashboard/": _PAGE,
        "dashboard/figures/": _PAGE,
        "statistics/": {"GET": page(client=403), "POST": OPEN_NO_METHOD},
    },
)
