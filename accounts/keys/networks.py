"""The networks that a credential may be used from."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def parse_network(text: str) -> str:
    """Return a network as it is stored, such as ``192.0.2.0/24``. Raise ``ValueError``.

    A single address is a network of its own. An IPv4 network that is written as IPv6 becomes IPv4.
    """
    network: Network = ipaddress.ip_network(text.strip())
    if "%" in text:
        # A zone is a name inside one machine, so no other machine, nor the column, knows it.
        raise ValueError("a network has no zone")
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return str(network)


def is_within(networks: Iterable[str] | None, address: str) -> bool:
    """Return whether a client at the address may use a credential of these networks.

    Without networks everybody may. With some, a client whose address cannot be read may not.
    """
    if networks is None:
        return True
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    client = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(client in _network(network) for network in networks)


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ipaddress.ip_network(text)
