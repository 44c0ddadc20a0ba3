"""Processes with a clock of their own: libfaketime under a real process. Only the wall clock lies, not the monotonic one."""

from pathlib import Path

from volley.embedded import EmbeddedValkey

_PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


def library() -> str:
    """RuntimeError says what to install where there is none."""
    for place in _PLACES:
        for path in Path("/").glob(place[1:]):
            return str(path)
    raise RuntimeError(
        "this experiment needs libfaketime: apt-get install faketime (Debian, Ubuntu), then run it again"
    )


def off_by(seconds: int) -> dict[str, str]:
    """Environment of a process whose clock is so far ahead (behind: negative) all its life."""
    return {"LD_PRELOAD": library(), "FAKETIME": f"{seconds:+d}s", **_MONOTONIC}


_MONOTONIC = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


class SteppedValkey(EmbeddedValkey):
    """A server whose clock may be set while it runs."""

    def command(self) -> list[str]:
        self.set_clock(0)
        env = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            **_MONOTONIC,
        }
        return ["env", *(f"{name}={value}" for name, value in env.items()), *super().command()]

    @property
    def _file(self) -> Path:
        return self.folder / "clock"

    def set_clock(self, seconds: int) -> None:
        """So far ahead of the true time, at once."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}s\n")
        fresh.replace(self._file)  # it is read at every look at the clock
