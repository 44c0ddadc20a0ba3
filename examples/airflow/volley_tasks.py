"""What the DAG's tasks do. No Airflow in here, so that it can be tried without one."""

import os
from pathlib import Path

from volley_client import Client


def push(path: str, profile: str, template: str, key: str) -> str:
    """The campaign's id. The same key with the same file is the same campaign: a task may be tried again."""
    with _client() as volley:
        pushed = volley.push_file(
            path, kind="csv", idempotency_key=key, profile=profile, template=template, tags=["airflow"]
        )
        if pushed.rejected:
            volley.rejects(pushed.id, Path(path).with_suffix(".rejected.csv"))
        return pushed.id


def look(campaign_id: str) -> bool:
    """Whether nothing of it waits or is being sent."""
    with _client() as volley:
        return volley.campaign(campaign_id).over


def _client() -> Client:
    return Client(os.environ["SMS_API_URL"], os.environ["SMS_API_KEY"])
