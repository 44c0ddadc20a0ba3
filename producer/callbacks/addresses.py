"""Where callbacks may go: https, to addresses that anybody on the internet reaches. A caller of ours must not reach through us
what it could not reach itself: our network, this machine, a cloud's metadata.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from volley.errors import UnusableInput
from volley.settings import Settings

_LONGEST = 2000
_LONGEST_LABEL = 63
"""RFC 1035, 2.3.4. Resolvers that are given more raise what no other bad name raises."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# protocol assignments with Teredo, documentation, 6to4, documentation: what is embedded in them may be anything
_NOT_THERE = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
# protocol assignments, relays of 6to4; the address at which every machine of Azure meets its host
_NOT_THERE_4 = tuple(IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))


def is_public(text: str) -> bool:
    """Whether an IP address is of one host on the internet. No name, no zone (`%eth0`), nothing mapped, translated or embedded."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        special = address.is_multicast or address.is_reserved or any(address in each for each in _NOT_THERE_4)
        return address.is_global and not special
    return _is_public_6(address)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in _GLOBAL_UNICAST:
        return False
    return not any(address in each for each in _NOT_THERE)


def is_local(text: str) -> bool:
    """Whether it is this very machine's loopback."""
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def check_url(url: str, *, local: bool = False) -> str:
    """An address that may be called back; `local` allows http and this machine, for tests.

    Raises UnusableInput: says what is wrong with it. Where its name leads is looked at when it is called.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnusableInput("the callback URL cannot be read: write https://example.com/hook") from None
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise UnusableInput("a callback URL begins with https://")
    host = parts.hostname or ""
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not host or parts.username is not None or parts.fragment or port == 0 or not plain or len(url) > _LONGEST:
        raise UnusableInput("a callback URL has a host, no user, no #fragment, no spaces, and 2,000 characters at most")
    if ":" in host or host.replace(".", "").isdigit():
        _check_literal(host, local)
    elif not all(1 <= len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")):
        raise UnusableInput(
            f"the callback URL's host has an empty part, or one of more than {_LONGEST_LABEL} characters"
        )
    return url


def check_callback(url: str, settings: Settings) -> None:
    """A URL that the settings allow, where calls can be signed. Raises UnusableInput."""
    check_url(url, local=settings.callbacks_local)
    if settings.secret is None:
        raise UnusableInput("callbacks are signed: set VOLLEY_SECRET (openssl rand -hex 32), the same in all processes")


def _check_literal(host: str, local: bool) -> None:
    if not is_public(host) and not (local and is_local(host)):
        raise UnusableInput("a callback URL leads to a host on the internet, not into a network of ours")
