"""A service manager's socket: what a process says to it, in order."""

import re
import socket
import time
from pathlib import Path

PATIENCE_S = 30.0


class ManagerSocket:
    """`NOTIFY_SOCKET` of a process under test. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.heard: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> "ManagerSocket":
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def listen(self) -> list[dict[str, str]]:
        """All that was said until now."""
        while True:
            try:
                words = self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(word.split("=", 1) for word in words))

    def all(self, name: str) -> list[str]:
        return [said[name] for said in self.listen() if name in said]

    def until(self, name: str, pattern: str = "", *, after: int = 0) -> str:
        """Waits for a word in whose value the pattern is found; `after` so many of that name."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for value in self.all(name)[after:]:
                if re.search(pattern, value):
                    return value
            time.sleep(0.02)
        raise AssertionError(f"never heard {name}={pattern}: {self.heard[-5:]}")
