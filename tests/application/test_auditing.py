import pytest

from application.auditing import AddressMode, kept_of


@pytest.mark.parametrize(
    ("address", "mode", "kept"),
    [
        ("203.0.113.77", "network", "203.0.113.0/24"),
        ("2001:db8:aaaa:bbbb::1", "network", "2001:db8:aaaa::/48"),
        ("::ffff:203.0.113.77", "network", "203.0.113.0/24"),
        ("203.0.113.77", "full", "203.0.113.77"),
        ("::ffff:203.0.113.77", "full", "203.0.113.77"),
        ("203.0.113.77", "none", None),
        ("testclient", "full", None),
        (None, "full", None),
    ],
)
def test_of_an_address_the_mode_says_what_is_kept(
    address: str | None, mode: AddressMode, kept: str | None
) -> None:
    assert kept_of(address, mode) == kept
