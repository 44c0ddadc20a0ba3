"""A PostgreSQL server of our own: Debian's binaries, a cluster in a folder, and a socket there: a port might be another's by the
time that the server is restarted."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import asyncpg
import psutil

from volley.offspring import ends_with_parent

USER = "volley"
_SERVER_ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root: there it runs as the account that its package made."""
_PATIENCE_S = 30.0
_FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "32MB", "jit": "off"}
"""What a crash of the machine would need, and what would only cost time here. A crash of the server needs none of it."""


def binaries() -> Path | None:
    """The folder of initdb and postgres, the newest release's; None where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return folders[-1].parent if folders else None


class Postgres:
    """`start` and `stop` it; `url(name)` is what VOLLEY_LEDGER_URL would hold for one of its databases."""

    def __init__(self, programs: Path, **settings: str) -> None:
        self._programs = programs
        self._settings = _FAST | settings
        self._folder = Path(tempfile.mkdtemp(prefix="volley-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        account = pwd.getpwnam(_SERVER_ACCOUNT) if os.geteuid() == 0 else None
        self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()} if account else {}
        if account:
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        words = ["--pgdata", str(self._data), "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
        # people's order, as on most servers: what goes by that order goes otherwise than in SQLite
        self._run("initdb", *words, "--locale-provider", "icu", "--icu-locale", "en-US", "--no-instructions")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._as)

    def url(self, name: str = "postgres") -> str:
        return f"postgresql+asyncpg://{USER}@/{name}?host={self._folder}"

    def start(self) -> None:
        options = self._settings | {"unix_socket_directories": str(self._folder), "listen_addresses": ""}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGQUIT),
                **self._as,
            )
        ready = ("--host", str(self._folder), "--timeout", str(int(_PATIENCE_S)))
        while True:
            try:
                self._run("pg_isready", *ready)
                return
            except subprocess.CalledProcessError:
                assert self._process.poll() is None, (self._folder / "log").read_text()

    def stop(self, signum: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions and the server in order; SIGQUIT at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def processes(self) -> list[psutil.Process]:
        """The server's, one a session and its own."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        return [*main.children(recursive=True), main]

    def query(self, statement: str, name: str = "postgres") -> list[asyncpg.Record]:
        """One statement, outside any transaction."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(host=str(self._folder), user=USER, database=name)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        return asyncio.run(ask())
