"""A campaign a day: pushed once for each run, followed without holding a slot."""

from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, task
from volley_tasks import look, push

PROFILE = "4001…"
TEMPLATE = "Hi {name}, your order {order} is ready."


@dag(schedule="0 9 * * *", start_date=datetime(2026, 1, 1), catchup=False)  # noqa: DTZ001 - Airflow reads it as UTC
def shop_daily() -> None:
    @task(retries=5, retry_delay=timedelta(minutes=2))
    def push_campaign(path: str) -> str:
        run = get_current_context()["dag_run"]
        return push(path, PROFILE, TEMPLATE, key=f"{run.dag_id}:{run.run_id}")

    @task.sensor(poke_interval=60, timeout=6 * 3600, mode="reschedule")
    def wait_for_campaign(campaign_id: str) -> bool:
        return look(campaign_id)

    wait_for_campaign(push_campaign("/data/shop/people.csv"))


shop_daily()
