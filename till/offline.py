"""What the service worker keeps on the device: the files of the till's page, and their version."""

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage

# Every file that the page loads. Scripts import each other by the names without a hash.
LINKED = (
    "css/site.css",
    "icon.svg",
    "icons.svg",
    "js/frame.js",
    "till/till.js",
)
IMPORTED = (
    "js/money.js",
    "js/texts.js",
    "js/toast.js",
    "till/lately.js",
    "till/lists.js",
    "till/queue.js",
    "till/sender.js",
    "till/suggest.js",
    "till/words.js",
)


def asset_urls() -> list[str]:
    """Return the addresses of the files, as the page asks for them."""
    return [staticfiles_storage.url(name) for name in LINKED] + [
        settings.STATIC_URL + name for name in IMPORTED
    ]


def version() -> str:
    """Return the version of the files: a digest that changes with any of them."""
    return _digest() if settings.DEVELOPMENT else _version()


@lru_cache(maxsize=1)
def _version() -> str:
    return _digest()


def _digest() -> str:
    digest = blake2b(digest_size=8)
    for name in (*LINKED, *IMPORTED):
        found = finders.find(name) or staticfiles_storage.path(name)
        digest.update(Path(str(found)).read_bytes())
    return digest.hexdigest()
