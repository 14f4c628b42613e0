"""The access to the search, of which everybody finds only what they may see."""

from tests.access import OPEN_NO_METHOD, Access, page

ACCESS = Access(pages={"search/": {"GET": page(), "POST": OPEN_NO_METHOD}})
