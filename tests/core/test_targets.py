"""Where what came may be sent, whatever the address is called."""

from ipaddress import ip_address

import pytest

from webhookctl.core.errors import UsageError
from webhookctl.core.targets import Origin, check_addresses, check_url, refusal

NAMED = (Origin.of("https://staging.shop.example"), Origin.of("http://10.0.0.7:8700"))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::7f00:1",
        "2002:a9fe:a9fe::",
        "2001:0:1234::5601:5601",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "64:ff9b::100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104 - what is refused
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_link_local_and_metadata_addresses_are_refused_by_any_name(address: str) -> None:
    """Also where an address of IPv6 carries them."""
    assert refusal(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "8.8.8.8",
        "fd12::1",
        "2606:4700::1111",
        "64:ff9b::808:808",
    ],
)
def test_machines_are_not_refused(address: str) -> None:
    """Private addresses too: staging often has one."""
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8700/webhooks/acme",
        "http://127.9.9.9/",
        "http://[::1]:1/",
        "http://localhost/x?y=1",
        "http://LOCALHOST./",
        "https://staging.shop.example/any/path",
        "https://STAGING.shop.example:443/",
        "http://10.0.0.7:8700/x",
    ],
)
def test_loopback_and_what_the_settings_name_need_no_more_words(url: str) -> None:
    """By origin: scheme, host and port, whatever the path."""
    assert check_url(url, named=NAMED, allowed=False) == Origin.of(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://staging.shop.example:8443/",
        "http://staging.shop.example/",
        "https://staging.shop.example.evil.example/",
        "https://evil.example/https://staging.shop.example",
        "http://10.0.0.7/",
        "http://localhost.evil.example/",
        "http://0x7f.1/",
        "http://127.1/",
    ],
)
def test_all_others_must_be_allowed(url: str) -> None:
    """What only looks like a name that is allowed is another."""
    with pytest.raises(UsageError, match=r"is another machine.*--allow-url"):
        check_url(url, named=NAMED, allowed=False)


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "https://0.0.0.0/"])
def test_what_is_never_sent_to_is_said_first(url: str) -> None:
    """Nobody is told of https or of the settings where neither would help."""
    for allowed in (False, True):
        with pytest.raises(UsageError, match="nothing is ever sent there"):
            check_url(url, named=(), allowed=allowed)


def test_allowed_means_https() -> None:
    """Codes go in clear only where the settings say so."""
    assert check_url("https://x.example/", named=(), allowed=True).host == "x.example"
    with pytest.raises(UsageError, match="use https://"):
        check_url("http://x.example/", named=(), allowed=True)


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://x/", "http://", "http:///x", "file:///etc/passwd", "http://127.0.0.1\\@evil.example/"),
        *(
            "http://127.0.0.1#@evil.example/",
            "http://127.0.0.1 .evil/",
            "http://a\nb/",
            "http://[::1",
            "http://x:99999/",
        ),
        *("http://u:p@127.0.0.1/", "http://u@127.0.0.1/"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_no_url(url: str) -> None:
    """Nor is one with a user or a password in it, which would stand in the list of processes."""
    with pytest.raises(UsageError, match=r"^--to "):
        check_url(url, named=(), allowed=True)


def test_a_name_is_refused_for_one_of_its_addresses() -> None:
    """Which of them would be taken nobody knows; and what calls itself this machine must be it."""
    origin, here = Origin.of("https://x.example/"), Origin.of("http://localhost/")

    with pytest.raises(UsageError, match=r"x\.example: 169\.254\.169\.254 is a link-local address"):
        check_addresses(origin, [ip_address("8.8.8.8"), ip_address("169.254.169.254")])
    with pytest.raises(UsageError, match=r"localhost: 8\.8\.8\.8 is not this machine"):
        check_addresses(here, [ip_address("127.0.0.1"), ip_address("8.8.8.8")])
    assert check_addresses(origin, [ip_address("8.8.8.8")] * 2) == [ip_address("8.8.8.8")]
