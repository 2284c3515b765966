"""Addresses are read strictly, and told apart by whose they are."""

from ipaddress import ip_network

import pytest

from webhookctl.core.addresses import is_among, parsed, site


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("192.0.2.07", "unknown"),
        ("192.0.2", "unknown"),
        ("shop.example", "unknown"),
        ("١٩٢.0.2.7", "unknown"),
    ],
)
def test_whose_an_address_is(text: str, whose: str) -> None:
    """One of IPv4 is a sender, of IPv6 a network of 2^64; what is none is nobody's."""
    assert site(text) == whose


def test_an_unknown_address_is_in_no_network() -> None:
    """Not even in the one that holds all."""
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]

    assert is_among(parsed("::ffff:192.0.2.7"), everything[:1])
    assert not is_among(parsed("2001:db8::1"), everything[:1])
    assert not is_among(parsed("nobody"), everything)
