"""Which network addresses lie in public: the others are those of this machine, its neighbours and its landlord. And
which no proxy can reach."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; many systems take 0.0.0.0 for themselves
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers, and the metadata of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # what a cloud's machines are told by: public, but only reached from inside
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays from IPv6
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # measurements
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
# Of IPv6 only this part is given to hosts in public. Outside: loopback, link-local, unique local, multicast, IPv4
# written as IPv6, translated to it (64:ff9b::/96).
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols, with Teredo: IPv4 inside
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: IPv4 inside
        "3fff::/20",  # documentation
    )
]


def parse_networks(text: str) -> list[Network]:
    """Networks in CIDR notation, with commas between.

    Raises:
        ValueError: one of them is none.
    """
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]


def parse_address(text: str) -> Address:
    """An address as the system writes it; IPv4 in the notation of IPv6 is IPv4, and a zone is nothing that counts.

    Raises:
        ValueError: it is none.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_allowed(address: Address, allowed: Collection[Network] = ()) -> bool:
    """Whether it lies in public, or in a network that the operator allows."""
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def around_proxies(host: str) -> dict[str, None]:
    """What an HTTP client mounts in place of the proxies that the environment names: nothing, for this machine's own
    addresses, which no proxy can reach.
    """
    is_here = host in ("localhost", "::1") or host.startswith("127.")
    return dict.fromkeys(("all://", "http://", "https://")) if is_here else {}
