"""For which site passkeys are: that of ``SITE_URL``, whatever the Host of a request."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


def origin() -> str:
    """Return the origin of ``SITE_URL``, as browsers write it."""
    parts = urlsplit(settings.SITE_URL)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, default) else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def relying_party_id() -> str:
    """Return the id that browsers bind passkeys to, or an empty string if there can be none.

    Browsers have passkeys for names only, not for IP addresses, and only by HTTPS or on this
    machine.
    """
    parts = urlsplit(settings.SITE_URL)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        local = host == "localhost" or host.endswith(".localhost")
        return host if parts.scheme == "https" or (parts.scheme == "http" and local) else ""
    return ""


@register()
def passkeys_need_a_name(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """accounts.W001: passkeys are refused, because SITE_URL is an IP address or is not secure."""
    if relying_party_id():
        return []
    return [
        Warning(
            f"Passkeys are off, because browsers have none for {settings.SITE_URL}.",
            hint="Let SITE_URL be an https address with the name of a host.",
            id="accounts.W001",
        )
    ]
