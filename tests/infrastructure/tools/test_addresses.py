"""Where tools may go: never inwards by any spelling, unless somebody vouched for the origin."""

import pytest

from application.tool_ports import ToolFailed
from domain.tool.allowance import Reach
from infrastructure.tools.addresses import address_of, is_allowed

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"]
OWN = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "198.18.0.1", "192.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "fc00::1", "fd12:3456::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "::7f00:1", "::ffff:0:10.0.0.1",
    "2001:db8::1",
]  # fmt: skip
NOWHERE = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe",
    "168.63.129.16", "192.0.0.192", "100.100.100.200", "::ffff:168.63.129.16",
    "::ffff:0:169.254.169.254", "0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "ff02::1",
    "::ffff:0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_allowed(address: str) -> None:
    assert is_allowed(address, Reach.PUBLIC)
    assert is_allowed(address, Reach.ANYWHERE)


@pytest.mark.feature("MOD-25")
@pytest.mark.parametrize("address", OWN)
def test_mod_25_an_address_of_the_own_network_needs_an_origin_that_is_vouched_for(
    address: str,
) -> None:
    assert not is_allowed(address, Reach.PUBLIC)
    assert is_allowed(address, Reach.ANYWHERE)


@pytest.mark.feature("MOD-25")
@pytest.mark.parametrize("address", NOWHERE)
def test_mod_25_what_answers_with_credentials_or_to_everybody_is_never_asked(address: str) -> None:
    assert not is_allowed(address, Reach.PUBLIC)
    assert not is_allowed(address, Reach.ANYWHERE)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost"])
def test_every_spelling_of_this_machine_is_looked_up_before_it_is_judged(host: str) -> None:
    with pytest.raises(ToolFailed, match="that tools may not reach"):
        address_of(host, 443, Reach.PUBLIC)
    assert address_of(host, 443, Reach.ANYWHERE) in ("127.0.0.1", "::1")


def test_a_name_that_leads_inwards_as_well_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: both)
    with pytest.raises(ToolFailed, match="that tools may not reach"):
        address_of("rebind.example", 443, Reach.PUBLIC)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example"])
def test_a_host_that_is_not_known_is_a_failure_of_the_tool(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("no such name")

    if host.endswith(".invalid"):  # asks no name server
        monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(ToolFailed, match="is not known"):
        address_of(host, 443, Reach.PUBLIC)
