"""Where the API listens and how it is reached."""

import socket

import pytest

from infrastructure.main.address import (
    AddressIsUnusable,
    PortIsTaken,
    free_port,
    is_this_machine,
    url_of,
)
from infrastructure.main.api import warn_if_open
from infrastructure.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("box.example", "http://box.example:80"),
    ],
)
def test_what_listens_everywhere_is_reached_on_the_loopback(host: str, url: str) -> None:
    assert url_of(host, 80) == url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_free_port_is_found(host: str) -> None:
    port = free_port(host, 0)
    assert port > 0
    assert free_port(host, port) == port


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortIsTaken, match=f"port {port}. Stop it, or set STRATAL_PORT"):
            free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressIsUnusable, match=r"Cannot assign requested address\)"):
        free_port("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_loopback_is_reached_by_this_machine_alone(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "box.example"])
def test_who_listens_for_others_with_open_access_is_warned(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not is_this_machine(host)
    warn_if_open(Settings(host=host, access="keys"))
    warn_if_open(Settings())
    assert caplog.records == []
    warn_if_open(Settings(host=host))
    assert "STRATAL_ACCESS=keys" in caplog.text
