"""The declarations of the search."""

from shop.core.apps import ShopAppConfig


class SearchConfig(ShopAppConfig):
    """One search over what every app declares, as a page and for the field in the top line."""

    name = "search"
    page_urls = "search.page_urls"
