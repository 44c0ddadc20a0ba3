"""Where callbacks may go: only to hosts on the internet, however an address is written."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.callbacks.addresses import check_url, is_public
from volley.errors import UnusableInput

INSIDE_4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4", "168.63.129.16/32",
]  # fmt: skip
INSIDE_6 = ["::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7",
            "fe80::/10", "ff00::/8"]  # fmt: skip


def inside(networks: list[IPv4Network] | list[IPv6Network]) -> st.SearchStrategy[str]:
    spots = st.sampled_from(networks).flatmap(
        lambda network: st.integers(0, network.num_addresses - 1).map(lambda at: str(network[at]))
    )
    return spots


@given(inside([IPv4Network(each) for each in INSIDE_4]))
def test_no_address_of_a_network_of_ours_is_public_however_it_is_wrapped(text: str) -> None:
    assert not is_public(text)
    inner = int(IPv4Address(text))
    wrapped = [0xFFFF << 32 | inner, inner, 0x64FF9B << 96 | inner, 0x2002 << 112 | inner << 80]
    assert not any(is_public(str(IPv6Address(each))) for each in wrapped)


@given(inside([IPv6Network(each) for each in INSIDE_6]))
def test_no_special_address_of_ipv6_is_public(text: str) -> None:
    assert not is_public(text)
    assert not is_public(f"{text}%eth0")


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str))
def test_what_is_public_is_global_to_the_registry_too(text: str) -> None:
    if is_public(text):
        assert ip_address(text).is_global


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_hosts_on_the_internet_are_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.1", "2130706433", "1.2.3.4/8", "::ffff:8.8.8.8"])
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https://u:p@example.com/", "https://example.com/#x",
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://10.1.2.3:8443/", "https://169.254.169.254/latest", "https://exa mple.com/", "https://example.com\\@x/",
        "https://example.com:0/", "https://example.com:99999/", f"https://example.com/{'x' * 2000}", "https://[::1", "",
        "https://hooks..example.com/", "https://.example.com/", "https://./", f"https://{'x' * 64}.com/",
    ],
)  # fmt: skip
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(UnusableInput):
        check_url(url)


def test_a_url_on_the_internet_is_taken_and_this_machine_only_where_it_is_allowed() -> None:
    assert check_url("https://hooks.example.com:8443/in?x=1")
    assert check_url("http://127.0.0.1:1234/in", local=True)
    with pytest.raises(UnusableInput):
        check_url("http://10.0.0.1/in", local=True)
