"""The access to the dashboard."""

from tests.access import READ, Access, page

_PAGE = {
    "GET": page(403, operator=200, **READ),
    "POST": page(405),
}

ACCESS = Access(pages={"dashboard/": _PAGE, "dashboard/figures/": _PAGE})
