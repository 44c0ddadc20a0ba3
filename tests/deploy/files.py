"""The deploy files, as tests read them: with this environment's `volley` in place of an installed one."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
INSTALLED = "/opt/volley/bin/volley"
HOME = "/var/lib/volley"
LOGS = "/var/log/volley"


def path_with_volley() -> str:
    """A PATH on which `volley` is this environment's."""
    return f"{BIN}{os.pathsep}{os.environ['PATH']}"
