"""The hosts that this site answers for, for requests that Django does not see."""

from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host


@lru_cache(maxsize=64)
def is_ours(host: bytes) -> bool:
    """Return whether the header ``Host`` names this site."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
