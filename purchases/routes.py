"""The ledger's paths that are answered, or prepared, before Django sees the request."""

from shop.core.paths import CLASSIC_PREFIX

PURCHASES = "/api/v1/purchases/"
BUYS = ("/buy", f"{CLASSIC_PREFIX}/buy")
BULK = "/api/v1/purchases/bulk/"


def purchase_path(id: str) -> str:
    """Return the address of a purchase."""
    return f"{PURCHASES}{id}/"
