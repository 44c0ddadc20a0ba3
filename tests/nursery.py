"""Started by tests/commands.py: forks a child for each command that it is told over the socket it was given.

Imported beforehand is what every command imports, and libraries that many import when they run. A command's own modules
are imported by itself.
"""

import gc
import json
import os
import signal
import socket
import sys
import time

import aiohttp  # noqa: F401
import aiosqlite  # noqa: F401
import alembic.command  # noqa: F401
import sqlalchemy.ext.asyncio  # noqa: F401

import volley.__main__


def main(control: socket.socket) -> None:
    """Returns in the children only, each ready to be its command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children but their own parents below
    gc.freeze()
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
        if not order:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            if _is_born(descriptors):
                return _become(json.loads(order), descriptors)
        for each in descriptors:
            os.close(each)


def _is_born(descriptors: list[int]) -> bool:
    """True in the command's process. Its parent tells which one it is and how it ended, and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    born = os.fork()
    if born == 0:
        return True
    *ways, told = descriptors
    for each in ways:
        os.close(each)
    with socket.socket(fileno=told) as tell:
        tell.send(str(born).encode())
        tell.send(str(os.waitstatus_to_exitcode(os.waitpid(born, 0)[1])).encode())
    os._exit(0)


def _become(order: dict, descriptors: list[int]) -> None:
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


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    volley.__main__.main()
