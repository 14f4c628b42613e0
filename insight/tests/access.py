"""The access to the dashboard."""

from tests.access import OPEN_NO_METHOD, READ, Access, page

_PAGE = {"GET": page(403, operator=200, **READ), "POST": OPEN_NO_METHOD}

ACCESS = Access(pages={"dashboard/": _PAGE, "dashboard/figures/": _PAGE})
