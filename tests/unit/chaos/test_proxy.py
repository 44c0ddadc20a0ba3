"""The chaos suite's proxy, held to what it says with real sockets."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Proxy, Way
from volley.embedded import free_port


class Echo:
    """Answers every byte with itself; `got` is all that reached it."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.got = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            try:
                while data := line.recv(4096):
                    self.got += data
                    line.sendall(data)
            except OSError:
                pass


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.socket.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.address) as made:
        yield made


def call(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def echoed(line: socket.socket, data: bytes) -> bytes:
    line.sendall(data)
    return line.recv(4096)


def _all_of(line: socket.socket) -> bytes:
    """What comes until the other side closes."""
    got = b""
    while data := line.recv(10):
        got += data
    return got


def nothing_comes(line: socket.socket) -> bool:
    line.settimeout(0.2)
    try:
        line.recv(1)
    except TimeoutError:
        return True
    finally:
        line.settimeout(5)
    return False


def until(check: object, wanted: object) -> None:
    end = time.monotonic() + 5
    while check() != wanted:  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_clear_way_passes_everything_in_both_directions(proxy: Proxy) -> None:
    with call(proxy) as line:
        sent = bytes(range(256)) * 1000
        line.sendall(sent)
        got = b""
        while len(got) < len(sent):
            got += line.recv(65536)
        assert got == sent


def test_a_delay_holds_bytes_back_and_loses_none(proxy: Proxy) -> None:
    proxy.set(there=Way(delay_s=0.15), back=Way(delay_s=0.15))
    with call(proxy) as line:
        began = time.monotonic()
        assert echoed(line, b"hello") == b"hello"
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_a_line_is_cut_after_exactly_so_many_bytes(proxy: Proxy, echo: Echo, end: str) -> None:
    proxy.set(there=Way(cut_after=3, end=end))  # type: ignore[arg-type]
    with call(proxy) as line:
        line.sendall(b"hello")
        if end == "rst":
            with pytest.raises(ConnectionResetError):
                _all_of(line)
        else:
            _all_of(line)
    until(lambda: echo.got, b"hel")


def test_an_answer_is_cut_after_so_many_bytes(proxy: Proxy) -> None:
    proxy.set(back=Way(cut_after=2, end="fin"))
    with call(proxy) as line:
        line.sendall(b"hello")
        assert _all_of(line) == b"he"


def test_half_a_line_may_close_while_the_other_half_goes_on(proxy: Proxy, echo: Echo) -> None:
    proxy.set(back=Way(cut_after=5, end="half"))
    with call(proxy) as line:
        assert echoed(line, b"hello") == b"hello"
        assert line.recv(1) == b""
        line.sendall(b" there")
        until(lambda: echo.got, b"hello there")


def test_what_is_held_comes_when_the_way_is_clear(proxy: Proxy) -> None:
    with call(proxy) as line:
        assert echoed(line, b"a") == b"a"
        proxy.set(there=Way(hold=True))
        line.sendall(b"b")
        assert nothing_comes(line)
        proxy.clear()
        assert line.recv(1) == b"b"


def test_what_is_swallowed_never_comes(proxy: Proxy, echo: Echo) -> None:
    with call(proxy) as line:
        assert echoed(line, b"a") == b"a"
        proxy.set(there=Way(swallow=True))
        line.sendall(b"b")
        assert nothing_comes(line)
        proxy.clear()
        assert echoed(line, b"c") == b"c"
    assert echo.got == b"ac"


def test_open_lines_are_reset_and_new_ones_pass(proxy: Proxy) -> None:
    with call(proxy) as line:
        assert echoed(line, b"a") == b"a"
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            line.recv(1)
    with call(proxy) as line:
        assert echoed(line, b"a") == b"a"


def test_a_refused_line_is_refused_by_the_kernel_and_open_ones_go_on(proxy: Proxy) -> None:
    with call(proxy) as line:
        assert echoed(line, b"a") == b"a"
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            call(proxy)
        assert echoed(line, b"b") == b"b"
    proxy.accept()
    with call(proxy) as line:
        assert echoed(line, b"c") == b"c"


def test_at_a_dead_end_nobody_answers_a_syn(proxy: Proxy) -> None:
    proxy.dead_end()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3)
    proxy.accept()
    with call(proxy) as line:
        assert echoed(line, b"c") == b"c"


def test_a_line_whose_target_is_away_is_closed() -> None:
    with Proxy(("127.0.0.1", free_port())) as proxy, pytest.raises(ConnectionResetError):
        call(proxy).recv(1)
