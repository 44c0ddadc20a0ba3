"""The rejected rows of pushes over HTTP, a CSV file a campaign in the data folder, for as long as campaigns are kept."""

import asyncio
import contextlib
import re
import secrets
import time
from pathlib import Path

_ID = re.compile(r"[0-9a-z]{16}")
_HOUR_S = 3600.0
_DAY_S = 86_400


class RejectsFolder:
    """`home` is the data folder. Files are for its owner only: they hold numbers. An account finds its own alone."""

    def __init__(self, home: Path, account: str, retention_days: int) -> None:
        self._folder = home / "rejects" / account
        self._life_s = retention_days * _DAY_S

    def fresh(self) -> Path:
        """Where a push that has no id yet writes its own."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f"{secrets.token_hex(16)}.new"

    def keep(self, written: Path | None, campaign_id: str | None) -> None:
        """Makes it the campaign's. A push that is repeated finds those of the first time, which stay."""
        if written is None:
            return
        of_campaign = campaign_id and self.of(campaign_id)
        if not of_campaign or of_campaign.exists():
            written.unlink(missing_ok=True)
        else:
            written.replace(of_campaign)

    def of(self, campaign_id: str) -> Path | None:
        """None for what is no campaign's id, and so no name of a file either."""
        return self._folder / f"{campaign_id}.csv" if _ID.fullmatch(campaign_id) else None

    async def keep_clean(self) -> None:
        """Removes what is too old, and what a process that was killed has left, until cancelled."""
        while True:
            await asyncio.to_thread(self._clean, time.time())
            await asyncio.sleep(_HOUR_S)

    def _clean(self, now_s: float) -> None:
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            life_s = self._life_s if path.suffix == ".csv" else _HOUR_S * 2
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < now_s - life_s:
                    path.unlink()
