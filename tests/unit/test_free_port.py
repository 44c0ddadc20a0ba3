"""Ports for servers that begin a moment later: no outgoing connection of anybody's may take one before."""

import socket
from pathlib import Path

import pytest

from volley import embedded
from volley.embedded import free_port


def test_a_port_for_a_server_is_none_that_the_system_gives_to_outgoing_connections(tmp_path: Path) -> None:
    told = tmp_path / "range"
    told.write_text("25000 60999")
    assert all(20_000 <= free_port(outgoing=told) < 25_000 for _ in range(200))


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", free_port()))
        monkeypatch.setattr(embedded, "_LEAST", taken.getsockname()[1])
        monkeypatch.setattr(embedded, "_MOST", taken.getsockname()[1] + 1)
        assert free_port() != taken.getsockname()[1]


def test_a_port_that_was_given_is_not_given_again_and_its_server_may_have_it() -> None:
    """Two tests that begin servers at the same time were given the same one."""
    for _ in range(20):
        port = free_port()
        assert not embedded._kept("127.0.0.1", port)
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()


@pytest.mark.parametrize("given", ["1024 65535", "32768 60999", "", "none"])
def test_there_is_a_port_whatever_the_system_gives_to_outgoing_connections(tmp_path: Path, given: str) -> None:
    told = tmp_path / "range"
    told.write_text(given)
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.bind(("127.0.0.1", free_port(outgoing=told)))
