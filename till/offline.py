"""The version of the till's page and files, under which the service worker keeps them."""

from hashlib import blake2b
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage


def version() -> str:
    """Return a digest that changes with any static file of the site.

    In production that is the digest of the manifest, which a deploy collects.
    """
    collected: str = getattr(staticfiles_storage, "manifest_hash", "")
    return collected or _digest()


def _digest() -> str:
    digest = blake2b(digest_size=8)
    for finder in finders.get_finders():
        for name, storage in finder.list([]):
            changed = Path(storage.path(name)).stat().st_mtime_ns
            digest.update(f"{name} {changed}\n".encode())
    return digest.hexdigest()
