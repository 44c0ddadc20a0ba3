"""Runs the steps of deploy/container/Dockerfile without a container engine, then the image's own commands as its user.

Each stage gets a root of its own: this machine's, under a layer that is thrown away, with nothing in the environment but what the
Dockerfile says. Then serve and a worker run in the last one as its user, with that root read-only, beside a Valkey of their own;
the health check must find each of them alive, and dead once it has ended. Linux, root, util-linux.
"""

import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
START_S, END_S = 60.0, 45.0
_INSIDE = "--inside"


@dataclass(slots=True)
class Stage:
    """A stage's steps in order, and what they make of its settings."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    user: str = "0:0"

    def said(self, word: str) -> list[str]:
        """The words of ENTRYPOINT, CMD or HEALTHCHECK, which are lists here."""
        [value] = [value for name, value in self.steps if name == word]
        words: list[str] = json.loads(value[value.index("[") :])
        return words


def stages() -> list[Stage]:
    """The Dockerfile, line by line; a step that this rehearsal does not know is an error where it is played."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.M).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, value = line.split(None, 1)
        if word == "FROM":
            found.append(Stage(value.partition(" AS ")[2] or f"stage {len(found)}"))
        else:
            found[-1].steps.append((word, value))
    return found


def tell(text: str) -> None:
    print(text, flush=True)


def mounted(folder: Path) -> Path:
    """A root that is this machine's until something is written to it."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    root = folder / "root"
    layers = f"lowerdir=/,upperdir={folder / 'upper'},workdir={folder / 'work'}"
    run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    for name in ("proc", "dev"):
        run("mount", "--rbind", f"/{name}", str(root / name))
    _bring_python(root)
    return root


def _bring_python(root: Path) -> None:
    """The base image's `python` is the one that runs this, readable for everybody."""
    interpreter = Path(os.path.realpath(sys.executable))
    python = root / "usr" / "local" / "bin" / "python"
    python.unlink(missing_ok=True)
    python.write_text(f'#!/bin/sh\nexec {interpreter} "$@"\n')  # a link would be taken for its home
    python.chmod(0o755)
    for parent in list(interpreter.parents)[:-1]:
        inside = root / parent.relative_to("/")
        inside.chmod(inside.stat().st_mode | 0o555)


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def quietly(*words: str) -> None:
    """Shows what a step said only where it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.stdout.buffer.write(done.stdout)
        raise SystemExit(f"a step ended with {done.returncode}: {words[-1]}")


def played(stage: Stage, root: Path, others: dict[str, Path]) -> None:
    """All steps of a stage that change something."""
    for word, value in stage.steps:
        match word:
            case "RUN":
                began = time.monotonic()
                env = [f"{name}={text}" for name, text in stage.env.items()]
                quietly("chroot", str(root), "/usr/bin/env", "-i", "HOME=/root", *env, "/bin/sh", "-ec", value)
                tell(f"  {stage.name}: {value[:60]} … {time.monotonic() - began:.1f} s")
            case "COPY":
                copied(value, root, others)
            case "ENV":
                stage.env |= dict(pair.split("=", 1) for pair in value.split())
            case "USER":
                stage.user = value
            case "WORKDIR" | "VOLUME":
                assert (root / value.lstrip("/")).is_dir(), f"{word} {value} is not there"
            case "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                pass
            case _:
                raise AssertionError(f"{word}: this rehearsal does not know it")


def copied(value: str, root: Path, others: dict[str, Path]) -> None:
    """From another stage, or from the tree: a folder's content goes into the target, as Docker has it."""
    *words, target = value.split()
    source = ROOT
    if words[0].startswith("--from="):
        source = others[words.pop(0).removeprefix("--from=")]
    into = root / target.lstrip("/")
    for word in words:
        path = source / word.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, into)


class Container:
    """The last stage, as an engine would run it."""

    def __init__(self, stage: Stage, root: Path, redis_url: str) -> None:
        self._stage = stage
        self._root = root
        self._env = stage.env | {"VOLLEY_REDIS_URL": redis_url}
        user, group = map(int, stage.user.split(":"))
        home, secrets = root / "var/lib/volley", root / "run" / "secrets"
        secrets.mkdir(parents=True, exist_ok=True)
        (secrets / "telnyx_api_key").write_text("KEY-of-nobody")
        for place in (home, root / "tmp"):
            run("mount", "-t", "tmpfs", "-o", f"mode=0700,uid={user},gid={group}", "tmpfs", str(place))
        run("mount", "-o", "remount,ro", str(root))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        env = [f"{name}={text}" for name, text in self._env.items()]
        command = [
            "chroot",
            f"--userspec={self._stage.user}",
            str(self._root),
            "/usr/bin/env",
            "-i",
            "-C",
            "/var/lib/volley",
        ]
        return subprocess.Popen([*command, *env, *words])

    def is_healthy(self) -> bool:
        words = self._stage.said("HEALTHCHECK")
        return self.start(*words, "--within", "3").wait() == 0

    def rehearse(self, *role: str) -> None:
        """Starts, is found alive, ends in order, is found dead."""
        process = self.start(*self._stage.said("ENTRYPOINT"), *role)
        end = time.monotonic() + START_S
        while not self.is_healthy():
            assert process.poll() is None, f"{role} ended with {process.returncode}"
            assert time.monotonic() < end, f"{role} is not healthy after {START_S:g} s"
        _writes_nothing(self._root)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 0, f"{role} ended with {process.returncode}"
        assert not self.is_healthy(), f"{role} is healthy though it has ended"
        tell(f"  volley {' '.join(role)}: started as {self._stage.user}, healthy, ended in order")


def _writes_nothing(root: Path) -> None:
    try:
        (root / "opt" / "volley" / "written").touch()
    except OSError:
        return
    raise AssertionError("the root is not read-only")


def valkey(folder: Path) -> Iterator[str]:
    """A server for the time of the rehearsal."""
    from volley.embedded import EmbeddedValkey, free_port

    server = EmbeddedValkey(folder, port=free_port())
    folder.mkdir()
    with subprocess.Popen(server.command(), stdout=subprocess.DEVNULL) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", server.port)):
                time.sleep(0.05)
            yield server.url
        finally:
            process.terminate()


def _alone_on_the_network() -> None:
    """A network of its own with a loopback: the health check asks whoever is in it."""
    libc, new_network, up, set_flags = ctypes.CDLL(None, use_errno=True), 0x40000000, 0x1, 0x8914
    if libc.unshare(new_network):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as way:
        fcntl.ioctl(way, set_flags, struct.pack("16sh14x", b"lo", up))


def rehearse(folder: Path) -> None:
    run("mount", "-t", "tmpfs", "tmpfs", str(folder))
    roots: dict[str, Path] = {}
    found = stages()
    for place, stage in enumerate(found):
        roots[stage.name] = mounted(folder / str(place))
        played(stage, roots[stage.name], roots)
    last = found[-1]
    _alone_on_the_network()
    for url in valkey(folder / "valkey"):
        container = Container(last, roots[last.name], url)
        container.rehearse(*last.said("CMD"))
        container.rehearse("worker")


def main() -> int:
    if _INSIDE not in sys.argv:
        # mounts of its own, which go with the process
        return subprocess.run(
            ["unshare", "--mount", sys.executable, __file__, _INSIDE], cwd=ROOT, check=False
        ).returncode
    sys.path.insert(0, str(ROOT))
    folder = Path(tempfile.mkdtemp(prefix="volley-image-"))
    try:
        rehearse(folder)
    finally:
        run("umount", "--recursive", "--lazy", str(folder))
        folder.rmdir()
    tell("image: its steps run in a clean root, and serve and worker run in what they made")
    return 0


if __name__ == "__main__":
    sys.exit(main())
