"""The line out: one POST, to an address that was looked at in the moment of connecting, whose answer is hardly read."""

import socket
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from producer.callbacks.addresses import check_url, is_local, is_public
from volley import __version__
from volley.errors import UnusableInput

_CONNECT_S, _TOTAL_S = 5.0, 15.0
_READ = 2048
"""Bytes of an answer that are read; nobody looks at them."""


class Refused(OSError):
    """The name leads to where no callback may go."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`status` 0: no answer, and `error` says why."""

    status: int
    error: str = ""

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class Line:
    """`local` allows this machine, over http too. `resolver` is asked for names, the system's unless one is given."""

    def __init__(self, *, local: bool = False, resolver: AbstractResolver | None = None) -> None:
        self._local = local
        connector = aiohttp.TCPConnector(
            resolver=resolver, use_dns_cache=False, limit=100, socket_factory=self._socket, force_close=True
        )
        timeout = aiohttp.ClientTimeout(total=_TOTAL_S, connect=_CONNECT_S)
        # an answer's cookies, proxies of the environment and .netrc are nothing to us
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    def _socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """Here, where the address is the one that is connected to next, and no name any more."""
        family, kind, protocol, _, address = found
        where = str(address[0])
        if not is_public(where) and not (self._local and is_local(where)):
            raise Refused("its name leads to an address that is not on the internet")
        return socket.socket(family, kind, protocol)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Never raises for what the other side does."""
        own = {"Content-Type": "application/json", "User-Agent": f"volley/{__version__}"}
        try:
            check_url(url, local=self._local)
            async with self._session.post(url, data=body, headers=own | headers, allow_redirects=False) as response:
                await response.content.read(_READ)
                return Answered(response.status, "" if 200 <= response.status < 300 else f"answered {response.status}")
        except TimeoutError:
            return Answered(0, f"no answer within {_TOTAL_S:g} s")
        except Refused as error:
            return Answered(0, str(error))
        except UnusableInput as error:
            return Answered(0, str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: what no codec of names takes
            refused = next((each for each in _causes(error) if isinstance(each, Refused)), None)
            return Answered(0, str(refused) if refused else type(error).__name__)

    async def close(self) -> None:
        await self._session.close()


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
