"""A sandbox as other teams start it: a process of its own that ends with the test, however that ends."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sandbox_process(*options: str) -> Iterator[str]:
    """The URL that TELNYX_BASE_URL holds. `options` are those of `volley sandbox`, without the port."""
    command = [sys.executable, "-m", "volley.sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
