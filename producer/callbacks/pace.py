"""When a delivery is tried again, and when it is dead. Pure."""

FIRST_S, LONGEST_S = 5.0, 3600.0
PATIENCE_US = 24 * 3_600_000_000
"""After so long without an answer it is dead."""
DISABLED_AFTER_US = 5 * 24 * 3_600_000_000
GONE = 410
"""The receiver wants no more, by Standard Webhooks."""


def wait_s(attempts: int, chance: float) -> float:
    """After so many attempts, 1 at least: 5, 15, 45 s and so on up to an hour, a quarter more or less (`chance` 0 to 1)."""
    return min(FIRST_S * 3.0 ** min(attempts - 1, 10), LONGEST_S) * (0.75 + chance / 2)


def why_disabled(status: int, failing_us: int, now_us: int) -> str:
    """ "" while it stays on."""
    if status == GONE:
        return "the receiver answered 410 Gone"
    return "no call was taken for five days" if now_us - failing_us >= DISABLED_AFTER_US else ""
