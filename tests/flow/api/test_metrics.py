"""`/metrics` as Prometheus reads it: clean, bounded, and all that dashboards and alerts ask for is there."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.flow.api.conftest import PROFILE, Office
from tests.flow.cli.conftest import wait_until
from tests.redis.conftest import Rig, chunk_of, people
from volley.outbox import outcomes
from volley.outbox.outbox import Outbox

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "deploy" / "grafana" / "volley.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
ALERT_TESTS = ROOT / "tests" / "deploy" / "alerts_test.yml"

promtool = shutil.which("promtool")
# a Debian package: .ci/run installs it, so nothing is skipped there; a developer's machine may do without
has_promtool = pytest.mark.skipif(
    promtool is None and not os.environ.get("CI"), reason="promtool is not here (Debian: prometheus)"
)


@pytest.fixture(scope="module")
def scraped(office: Office) -> str:
    """With a campaign, workers and outcomes to tell of."""

    async def fill(outbox: Outbox) -> str:
        rig = Rig(outbox)
        campaign = await rig.push(chunk_of(people(30)), profile=PROFILE, parts=30)
        await outcomes.count(rig.redis, rig.keys, {"accepted:": 5, "refused:40310": 1, "undelivered:40008": 2})
        facts = {"host": "h", "pid": 1, "started_us": 1, "in_flight": 0, "rate": 0, "version": "1", "taking": "yes"}
        await rig.outbox.chores.show("worker-of-this-test", facts)
        return campaign.id

    campaign = office.outbox(fill)
    office.post("/webhooks/telnyx/default", b"{}", key="")
    # a snapshot that was made before is old after a second, or after ten where the machine is busy
    wait_until(lambda: b"\nvolley_waiting_messages{" in office.get("/metrics", key="").body)
    text = office.get("/metrics", key="").body.decode()
    assert campaign not in text
    return text


def run_promtool(*words: str, given: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    assert promtool is not None, "CI must have promtool: .ci/run installs Debian's prometheus"
    return subprocess.run([promtool, *words], input=given, capture_output=True, text=True, cwd=cwd, check=False)


@has_promtool
def test_promtool_has_nothing_to_say_of_it(scraped: str) -> None:
    done = run_promtool("check", "metrics", given=scraped)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    worse = scraped.replace("volley_redis_cpu_seconds_total", "volley_redis_cpu_minutes_counter")
    assert run_promtool("check", "metrics", given=worse).returncode != 0, "it would have said so"


def test_no_label_names_what_has_no_bound(scraped: str) -> None:
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scraped):
        for sample in family.samples:
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    bounded = {
        "profile",
        "for",
        "priority",
        "status",
        "state",
        "type",
        "taking",
        "version",
        "outcome",
        "code",
        "what",
        "currency",
    }
    assert labels.keys() <= bounded
    assert "worker-of-this-test" not in scraped
    assert not re.search(r"\+?\d{11,}", re.sub(r"(?m)^#.*$|[0-9.e+]+$|[0-9a-f]{8}-[0-9a-f-]+", "", scraped)), (
        "a phone number"
    )


class Asked:
    """Metric names in a PromQL expression, and the labels that it expects of each. Raises ValueError for one that cannot be read."""

    def __init__(self, expression: str) -> None:
        plain = re.sub(r"\$__\w+", "5m", expression).replace("$profile", ".*")
        self.labels: dict[str, set[str]] = {}
        self._walk(promql_parser.parse(plain), set())

    def _walk(self, node: object, grouped: set[str]) -> None:
        match node:
            case promql_parser.VectorSelector():
                matched = {each.name for each in node.matchers.matchers} - {"__name__"}
                self.labels.setdefault(node.name, set()).update(matched, grouped)
            case promql_parser.MatrixSelector():
                self._walk(node.vector_selector, grouped)
            case promql_parser.AggregateExpr():
                by = node.modifier is not None and "By" in str(node.modifier.type)
                self._walk(node.expr, grouped | (set(node.modifier.labels) if by else set()))
            case promql_parser.BinaryExpr():
                self._walk(node.lhs, grouped)
                self._walk(node.rhs, grouped)
            case promql_parser.Call():
                for each in node.args:
                    self._walk(each, grouped)
            case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
                self._walk(node.expr, grouped)


def expressions() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        yield f"alert {rule['alert']}", rule["expr"]


def missing(scraped: str, expression: str) -> list[str]:
    """What an expression asks for and the endpoint has not."""
    there: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scraped):
        for sample in family.samples:
            there.setdefault(sample.name, set()).update(sample.labels)
    found = []
    for name, labels in Asked(expression).labels.items():
        if name not in there:
            found.append(name)
        else:
            found += [f"{name}{{{label}}}" for label in sorted(labels - there[name] - {"instance"})]
    return found


NOT_AT_ONCE = {"volley_pinned_people", "volley_senders_rate_parts", "volley_spend_rate"}
"""Told once they have been looked at for a while."""


def test_every_expression_of_dashboard_and_alerts_is_parsed_and_answered(scraped: str) -> None:
    asked = list(expressions())
    assert len(asked) > 50
    lacking = {
        where: found
        for where, expression in asked
        if (found := [name for name in missing(scraped, expression) if name.split("{")[0] not in NOT_AT_ONCE])
    }
    assert lacking == {}
    for name in NOT_AT_ONCE:
        assert f"# TYPE {name} gauge" in scraped


def test_an_expression_that_asks_for_what_is_not_there_would_be_found(scraped: str) -> None:
    assert missing(scraped, "sum by (profile) (volley_no_such_messages)") == ["volley_no_such_messages"]
    assert missing(scraped, 'rate(volley_messages_total{colour="red"}[5m])') == ["volley_messages_total{colour}"]
    assert missing(scraped, "sum by (campaign) (volley_dead_messages)") == ["volley_dead_messages{campaign}"]
    with pytest.raises(ValueError, match="unclosed"):
        missing(scraped, "sum(")


@has_promtool
def test_each_alert_goes_off_when_it_should_and_is_quiet_else(tmp_path: Path) -> None:
    alerts = [rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]
    tested = ALERT_TESTS.read_text()
    assert [name for name in alerts if f'"{name}"' not in tested] == []
    done = run_promtool("test", "rules", str(ALERT_TESTS))
    assert done.returncode == 0, done.stdout + done.stderr
    for path, text in ((ALERTS, ALERTS.read_text().replace("> 60", "> 60000")), (ALERT_TESTS, tested)):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_text(text)
    assert run_promtool("test", "rules", str(tmp_path / ALERT_TESTS.relative_to(ROOT))).returncode != 0


def test_the_snapshot_over_http_is_for_keys_that_may_read(office: Office, scraped: str) -> None:
    facts = office.call("GET", "/v1/facts").json
    assert facts["total"]["ready"] >= 30
    assert {queue["profile"] for queue in facts["queues"]} == {PROFILE}
    assert office.call("GET", "/v1/facts", key="").status == 401
    assert office.call("GET", "/v1/facts", key=office.make_key("send")[1]).status == 403
    why = office.get(f"/v1/why/{facts['campaigns'][0]['campaign_id']}").json
    assert why["waiting"] == 30
    assert {"account_rate", "senders"} & {cause["cause"] for cause in why["causes"]}
    assert office.get("/v1/why/0000000000000000").problem == "not-found"
    points = office.call("GET", "/v1/facts/history").json["points"]
    assert points[-1]["at"] % 30 == 0
    schema = office.call("GET", "/v1/openapi.json", key="").json
    described = json.dumps(schema["paths"]["/v1/facts"]["get"]["responses"]["200"])
    assert "Snapshot" in described or "Facts" in described
