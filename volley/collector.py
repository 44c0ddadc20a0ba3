"""The garbage collector of a process that runs for long: what lives for ever is not looked at again, and what lives for one message
is looked at less often."""

import gc


def calm() -> None:
    """To be called once, when all is imported and built."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
