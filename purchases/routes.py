"""The ledger's paths that layers below Django answer or prepare."""

from shop.core.paths import CLASSIC_PREFIX

PURCHASES = "/api/v1/purchases/"
BUYS = ("/buy", f"{CLASSIC_PREFIX}/buy")
BULK = "/api/v1/purchases/bulk/"


def purchase_path(id: str) -> str:
    """Return the address of a purchase."""
    return f"{PURCHASES}{id}/"
