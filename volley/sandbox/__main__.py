"""`python -m volley.sandbox --port N`."""

import sys

from volley.sandbox.main import run

sys.exit(run())
