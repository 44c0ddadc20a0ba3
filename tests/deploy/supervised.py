"""A stage of the chaos suite on which a real supervisord runs serve and two workers, by our own file."""

import asyncio
import sys

from tests.chaos.stage import Stage
from tests.deploy.files import DEPLOY, HOME, LOGS, path_with_volley
from volley.pulse import ask

OWN = """
[unix_http_server]
file = {folder}/supervisor.sock
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{folder}/supervisor.sock
[include]
files = {folder}/volley.conf
"""
WORKERS = ("volley-worker:volley-worker_00", "volley-worker:volley-worker_01")


class Supervised:
    """A stage on which supervisord has started serve and two workers. `steady_s`: how long they are watched before they count as
    started, `stop_s`: how long they have to end, both in place of what the file says.
    """

    def __init__(self, play: Stage, *, steady_s: int | None = None, stop_s: int | None = None) -> None:
        self.play = play
        self._stop_s = stop_s
        self._steady_s = steady_s
        self._conf = play.folder / "supervisord.conf"

    async def begin(self) -> None:
        folder = self.play.folder
        (folder / "log").mkdir()
        shipped = (DEPLOY / "supervisord" / "volley.conf").read_text("utf-8")
        mine = shipped.replace(HOME, str(folder / "home")).replace(LOGS, str(folder / "log"))
        if self._steady_s is not None:
            mine = mine.replace("startsecs = 3", f"startsecs = {self._steady_s}")
        if self._stop_s is not None:
            mine = mine.replace("stopwaitsecs = 45", f"stopwaitsecs = {self._stop_s}")
        (folder / "volley.conf").write_text(mine)
        self._conf.write_text(OWN.format(folder=folder))
        words = ("supervisor.supervisord", "-c", str(self._conf))
        self.play.serving = self.play.start("supervisord", *words, PATH=path_with_volley())
        await self.play.serving.begin()
        await self.play.until(self.all_work, "serve and two workers", 120)

    async def all_work(self) -> bool:
        """Both workers have shown themselves, and serve listens: a webhook that nobody takes is not repeated for ever."""
        serving = await self.pid("volley-serve")
        beats = await asyncio.to_thread(ask, 2.0, role="serve", pid=serving) if serving else []
        listens = any(beat.says is not None and beat.says["ready"] is True for beat in beats)
        return listens and len(await self.play.outbox.workers()) == 2

    async def ctl(self, *words: str) -> str:
        """What supervisorctl says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._conf), *words, stdout=asyncio.subprocess.PIPE
        )  # fmt: skip
        said, _ = await process.communicate()
        return said.decode().strip()

    async def pid(self, name: str) -> int:
        said = await self.ctl("pid", name)
        return int(said) if said.isdecimal() else 0
