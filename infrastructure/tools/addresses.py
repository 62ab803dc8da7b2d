"""Where a request may go: the address is looked up once, checked, and then connected to."""

import ipaddress
import socket
from typing import Final

from application.tool_ports import ToolFailed
from domain.tool.allowance import Reach
from domain.values import Failure

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "168.63.129.16", "192.0.0.192", "100.100.100.200"))
)
"""Where clouds tell their machines secrets, beside link-local addresses."""

_HOLDS_ANOTHER: Final = tuple(
    map(ipaddress.ip_network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)


def address_of(host: str, port: int, reach: Reach) -> str:
    """An address of *host* that *reach* allows, to be connected to as it is.

    All addresses of the name must be allowed: one that leads inwards as well is refused.

    Raises:
        ToolFailed: The name is not known, or leads where nothing may be asked.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"The host {host} is not known."
        raise ToolFailed(Failure(code="tool.unreachable", message=message)) from error
    addresses = [str(each[4][0]) for each in found]
    if not all(is_allowed(each, reach) for each in addresses):
        message = f"The host {host} leads to an address that tools may not reach."
        raise ToolFailed(Failure(code="tool.not_allowed", message=message))
    return addresses[0]


def may_reach(host: str, port: int, reach: Reach) -> bool:
    """Whether *host* is known, and all of its addresses are ones that *reach* allows."""
    try:
        address_of(host, port, reach)
    except ToolFailed:
        return False
    return True


def is_allowed(address: str, reach: Reach) -> bool:
    """Whether *reach* leads to *address*, and to the one inside it where it holds another."""
    outer = ipaddress.ip_address(address.partition("%")[0])
    return all(_is_allowed(each, reach) for each in (outer, *_inner(outer)))


def _inner(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    held: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    if address.teredo is not None:
        held += address.teredo
    if any(address in network for network in _HOLDS_ANOTHER):
        held.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in held if each is not None]


def _is_allowed(address: Address, reach: Reach) -> bool:
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if address in _METADATA:
        return False
    if reach is Reach.ANYWHERE or isinstance(address, ipaddress.IPv4Address):
        return reach is Reach.ANYWHERE or address.is_global
    # A mapped address is judged by what it holds.
    return not address.is_site_local and (address.ipv4_mapped is not None or address.is_global)
