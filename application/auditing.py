"""Commands that left no event: what the audit keeps of them, outside the log."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, Literal, Protocol
from uuid import UUID

AddressMode = Literal["none", "network", "full"]
"""What is kept of a client's address: nothing, its network (/24, of IPv6 /48), or all of it."""

_NETWORK_BITS: Final = {4: 24, 6: 48}


class Outcome(StrEnum):
    """Why a command left no event."""

    REFUSED = "refused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A command that left no event, and who is answerable for it.

    Args:
        operation: The route it came by, such as ``POST /v1/programs/{program}/deploy``.
        command: Its name; ``None`` if the request never became one.
        aggregate_id: What it was about, if it got so far.
        code: The code of the refusal; ``None`` if it changed nothing.
        reason: The same in a sentence that holds no secret.
        status: The HTTP status it was answered with; ``None`` if nobody waited for it.
        address: What is kept of the client's address; ``None`` if nothing is, or it has none.
    """

    tenant: str
    actor: str
    operation: str
    command: str | None
    aggregate_id: UUID | None
    outcome: Outcome
    code: str | None
    reason: str
    status: int | None
    address_mode: AddressMode
    address: str | None
    correlation_id: UUID


class Attempts(Protocol):
    def note(self, attempt: Attempt) -> None:
        """Keep *attempt*, soon: returns at once, and never fails."""
        ...


def kept_of(address: str | None, mode: AddressMode) -> str | None:
    """What *mode* leaves of an IP address; of anything else nothing is left."""
    if address is None or mode == "none":
        return None
    try:
        found = ip_address(address)
    except ValueError:
        return None
    inner: IPv4Address | None = getattr(found, "ipv4_mapped", None)
    found = inner or found
    if mode == "full":
        return str(found)
    return str(ip_network((found.packed, _NETWORK_BITS[found.version]), strict=False))
