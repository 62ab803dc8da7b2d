"""Where the API listens, and how to reach it from this machine."""

import errno
import socket
from ipaddress import ip_address

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""What listens on every address is reached on the loopback."""


class AddressIsUnusable(Exception):
    """Nothing can listen there; nothing was started."""

    code = "serve.address_unusable"


class PortIsTaken(AddressIsUnusable):
    """Another program listens there; nothing was started."""

    code = "serve.port_taken"


def url_of(host: str, port: int) -> str:
    """The address of an API that listens on *host* and *port*."""
    reached = ANY.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def is_this_machine(host: str) -> bool:
    """Whether only this machine reaches what listens on *host*."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def free_port(host: str, port: int) -> int:
    """*port*, or any when it is 0, if it can be listened on now.

    Raises:
        PortIsTaken: Another program listens there.
        AddressIsUnusable: This machine has no such address, or forbids it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortIsTaken(
                f"Another program listens on {host}, port {port}. "
                "Stop it, or set STRATAL_PORT to a free one."
            ) from None
        why = str(error.strerror or error).partition(" (while")[0]
        raise AddressIsUnusable(
            f"Nothing can listen on {host}, port {port} ({why}). Set STRATAL_HOST and STRATAL_PORT."
        ) from None
