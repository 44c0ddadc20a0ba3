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
        taken.bind(("127.0.0.1", free_port()))
        monkeypatch.setattr(embedded, "_LEAST", taken.getsockname()[1])
        monkeypatch.setattr(embedded, "_MOST", taken.getsockname()[1] + 1)
        assert free_port() != taken.getsockname()[1]


@pytest.mark.parametrize("given", ["1024 65535", "32768 60999", "", "none"])
def test_there_is_a_port_whatever_the_system_gives_to_outgoing_connections(tmp_path: Path, given: str) -> None:
    told = tmp_path / "range"
    told.write_text(given)
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", free_port(outgoing=told)))
