"""Who is the primary now: asked of Sentinels or of a Cluster's nodes at every connect, and left as soon as it says it is not.

`redis+sentinel://[user:password@]host:port,host:port/NAME/0` names Sentinels and what they call the primary,
`redis+cluster://[user:password@]host:port,host:port/0` some nodes of a Cluster; there the primary is the node that serves the
account's slot, as all its keys are in one. Nothing is redirected or repeated here: what the wrong server refuses (READONLY, MOVED and
their like) is a lost connection to the caller, who decides what that means, and whose next command looks again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import redis.asyncio
from redis.asyncio import BlockingConnectionPool, Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AuthenticationError, ConnectionError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as SlowError

from volley.outbox.keys import Keys

SENTINEL = "redis+sentinel://"
CLUSTER = "redis+cluster://"
SCHEMES = (SENTINEL, CLUSTER)
_TLS = "rediss://"
_PORTS = {SENTINEL: 26379, CLUSTER: 6379}
_ASK_S = 1.0
_ROOM_S = 5.0
_ELSEWHERE = ("MOVED ", "ASK ", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "UNBLOCKED")

Node = tuple[str, int]
Address = Callable[[], Awaitable[Node]]


class Set(NamedTuple):
    """Such a URL, taken apart. `name`: what Sentinels call the primary; '' for a Cluster."""

    nodes: tuple[Node, ...]
    name: str
    db: int
    login: dict[str, Any]


def read(url: str) -> Set:
    """ValueError, in words for the one who set it, for a URL that cannot be meant."""
    scheme = next(scheme for scheme in SCHEMES if url.startswith(scheme))
    login, _, rest = url.removeprefix(scheme).rpartition("@")
    hosts, *path = rest.rstrip("/").split("/")
    nodes = tuple(_node(each, _PORTS[scheme]) for each in hosts.split(",") if each)
    shape = "HOST:PORT,HOST:PORT/NAME/0" if scheme == SENTINEL else "HOST:PORT,HOST:PORT/0"
    wrong = ValueError(f"write it as {scheme}{shape}")
    if not nodes or "?" in rest:
        raise wrong
    name = path.pop(0) if scheme == SENTINEL and path else ""
    db = path.pop(0) if path else "0"
    if path or not db.isdecimal() or (scheme == SENTINEL and not name) or (scheme == CLUSTER and db != "0"):
        raise wrong
    user, _, password = login.rpartition(":") if ":" in login else ("", "", login)
    words = {"username": unquote(user), "password": unquote(password)}
    return Set(nodes, unquote(name), int(db), {key: word for key, word in words.items() if word})


def _node(text: str, port: int) -> Node:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if colon and not number.isdecimal():
        raise ValueError(f"{number!r} is no port")
    return (host if colon else number or host).strip("[]"), int(number) if colon else port


class Finder(Protocol):
    """Where the primary is, as one of those that answer says. ConnectionError: nobody knows."""

    async def find(self) -> Node: ...


class Sentinels:
    """Asks another Sentinel first each time: one that is cut off, or behind, does not have the last word."""

    def __init__(self, found: Set) -> None:
        self._nodes = list(found.nodes)
        self._name = found.name
        self._login = found.login

    async def find(self) -> Node:
        self._nodes.append(self._nodes.pop(0))
        for node in self._nodes:
            with contextlib.suppress(RedisError, OSError):
                found = await self._ask(node)
                if found:
                    return found[0].decode(), int(found[1])
        raise ConnectionError(f"no Sentinel knows a primary named {self._name!r}")

    async def _ask(self, node: Node) -> Any:
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
        try:
            return await _ask(node, {}, *words)
        except AuthenticationError:
            return await _ask(node, self._login, *words)


class ClusterNodes:
    """Asks any node that it has heard of, so that it finds its way when all that the URL names have been replaced."""

    def __init__(self, found: Set, account: str) -> None:
        self._nodes = list(found.nodes)
        self._login = found.login
        self._slot = key_slot(Keys(account).prefix.encode())

    async def find(self) -> Node:
        self._nodes.append(self._nodes.pop(0))
        for node in list(self._nodes):
            with contextlib.suppress(RedisError, OSError):
                owner = self._owner(node, await _ask(node, self._login, "CLUSTER", "SLOTS"))
                if owner is not None:
                    return owner
        raise ConnectionError("no node of the Cluster knows who serves this account")

    def _owner(self, asked: Node, slots: list[Any]) -> Node | None:
        """A range of slots is its first, its last, its primary, its replicas; a node's address, then more of it."""
        owner = None
        for first, last, *nodes in slots:
            found = [((address[0] or b"").decode() or asked[0], int(address[1])) for address in nodes]
            self._nodes += [node for node in found if node not in self._nodes]
            if first <= self._slot <= last:
                owner = found[0]
        return owner


async def _ask(node: Node, login: dict[str, Any], *words: str) -> Any:
    options = {"host": node[0], "port": node[1], "socket_timeout": _ASK_S, "socket_connect_timeout": _ASK_S, **login}
    client: Any = redis.asyncio.Redis.from_pool(ConnectionPool(connection_class=FaithfulConnection, **options))
    async with client:
        return await client.execute_command(*words)


class _Faithful(AbstractConnection):
    """A connection that is lost when its server says that it is not, or no longer, the one to ask."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """redis-py's own makes a task of each write, and before Python 3.12 that swallows a cancellation that comes as it ends:
        whoever was told to end would go on for ever.
        """
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        if isinstance(command, str):
            command = command.encode()
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([command] if isinstance(command, bytes) else command)
        except BaseException as error:
            await self.disconnect(nowait=True)  # half a command may have left
            if isinstance(error, TimeoutError):
                raise SlowError("the server takes no more bytes") from None
            if isinstance(error, OSError | RuntimeError):  # uvloop says the latter of one that was reset while it idled
                raise ConnectionError("the connection was reset") from error
            raise

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and not str(error).startswith(_ELSEWHERE):
                raise
            await self.disconnect(nowait=True)
            raise ConnectionError("this server is not the primary for it") from None


class FaithfulConnection(_Faithful, Connection):
    """Over TCP."""


class FaithfulTls(_Faithful, SSLConnection):
    """Over TLS."""


class FaithfulUnix(_Faithful, UnixDomainSocketConnection):
    """Over a socket of this machine."""


_FAITHFUL: dict[Any, type[AbstractConnection]] = {
    Connection: FaithfulConnection,
    SSLConnection: FaithfulTls,
    UnixDomainSocketConnection: FaithfulUnix,
}


class PrimaryConnection(FaithfulConnection):
    """Goes to the address that `primary` gives, each time it connects, and stays only with one that says it is a primary."""

    def __init__(self, *, primary: Address, **options: Any) -> None:
        super().__init__(**options)
        self._primary = primary

    async def _connect(self) -> None:
        self.host, self.port = await self._primary()
        await super()._connect()  # type: ignore[no-untyped-call] # redis-py's own hook, as SentinelManagedConnection uses it

    async def on_connect(self) -> None:
        await super().on_connect()
        await self.send_command("ROLE")
        if (await self.read_response())[0] != b"master":
            raise ConnectionError("the primary that was named is a replica")


class PrimaryPool(BlockingConnectionPool):
    """Connections to the primary. Once there is another one, those that idle on the old one are closed."""

    def __init__(self, finder: Finder, **options: Any) -> None:
        super().__init__(connection_class=PrimaryConnection, primary=self._find, **options)
        self._finder = finder
        self._address: Node | None = None

    async def _find(self) -> Node:
        address = await self._finder.find()
        if address != self._address:
            self._address = address
            with contextlib.suppress(RedisError, OSError):
                await self.disconnect(inuse_connections=False)
        return address


def pool(url: str, account: str, **options: Any) -> ConnectionPool:
    """Connections for any URL that Volley takes; where all are in use one waits for the next. ValueError for one that cannot be meant.

    In redis-py's other pool commands wait in a row while each other's connections are made: with a server that is silent the
    tenth would be told after ten timeouts.
    """
    options |= {"retry": Retry(NoBackoff(), 0), "timeout": _ROOM_S}
    if not url.startswith(SCHEMES):
        if url.startswith(_TLS):
            options["ssl_check_hostname"] = True
        made = BlockingConnectionPool.from_url(url, **options)
        made.connection_class = _FAITHFUL[made.connection_class]  # the scheme has chosen it
        return made
    found = read(url)
    finder = Sentinels(found) if url.startswith(SENTINEL) else ClusterNodes(found, account)
    return PrimaryPool(finder, db=found.db, **found.login, **options)
