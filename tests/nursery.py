"""Started by tests/commands.py and tests/offspring.py: forks a child for each process that it is told over the socket it was given.

Imported beforehand is what every command imports, and libraries that many import when they run; and the modules that its
starter names, for processes that stay. A command's own modules are imported by itself.
"""

import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import sys
import time
from importlib import import_module

import aiohttp  # noqa: F401
import aiosqlite  # noqa: F401
import alembic.command  # noqa: F401
import sqlalchemy.ext.asyncio  # noqa: F401

import volley.__main__

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


def main(control: socket.socket) -> list[str]:
    """Returns in the children only, each ready to be its command: an interpreter's own words for it, or none."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children but their own parents below
    gc.freeze()
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
        if not order:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            told = json.loads(order)
            if _is_born(descriptors, bound=told["bound"]):
                return _become(told, descriptors)
        for each in descriptors:
            os.close(each)


def _is_born(descriptors: list[int], *, bound: bool) -> bool:
    """True in the command's process, which tells who it is. Its parent tells how it ended, and ends.

    `bound`: it dies with its parent, that with the nursery, and that with whoever started it.
    """
    _die_with_parent(bound)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *ways, told = descriptors
    born = os.fork()
    if born == 0:
        if bound:
            os.setsid()
        _die_with_parent(bound)
        os.write(told, str(os.getpid()).encode())
        return True
    for each in ways:
        os.close(each)
    with socket.socket(fileno=told) as tell:
        tell.send(str(os.waitstatus_to_exitcode(os.waitpid(born, 0)[1])).encode())
    os._exit(0)


def _die_with_parent(bound: bool) -> None:
    if bound and sys.platform.startswith("linux"):
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _become(order: dict, descriptors: list[int]) -> list[str]:
    *ways, told = descriptors
    os.close(told)
    for number, each in enumerate(ways):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]
    sys.argv = ["volley", *order["words"]]
    return order["python"]


def _as_python(how: str, what: str) -> None:
    """`python -m what` or `python -c what`, in this process."""
    if (how, what) == ("-m", "volley"):
        volley.__main__.main()
    elif how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = "-c"
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    for name in sys.argv[2:]:
        import_module(name)
    _as_python(*main(socket.socket(fileno=int(sys.argv[1]))))
