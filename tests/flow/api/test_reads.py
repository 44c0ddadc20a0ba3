"""The messages of a campaign over HTTP, and its terms changed while it runs."""

import csv
import io
import json
from typing import Any

import pyarrow.parquet

from tests.flow.api.conftest import Office
from tests.flow.api.test_pushes import push
from tests.flow.cli.conftest import wait_until


def campaign(office: Office, start: int, count: int) -> str:
    rows = [f"+1312559{n:04d},Ann,{'=1+' if n == start else 'r'}{n}" for n in range(start, start + count)]
    told = push(office, "\n".join(["to,name,reference", *rows, ""]).encode())
    assert told.status == 202, told.body
    name = str(told.json["campaign_id"])
    wait_until(lambda: office.get(f"/v1/campaigns/{name}/export").status == 200)
    return name


def test_pages_hold_every_message_once_whatever_their_size(office: Office) -> None:
    name = campaign(office, 0, 1100)
    for limit in (1000, 333):
        found, cursor = list[Any](), ""
        while True:
            page = office.get(f"/v1/campaigns/{name}/messages?limit={limit}{cursor}").json
            assert len(page["messages"]) <= limit
            found += [each["to"] for each in page["messages"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert found == [f"+1312559{n:04d}" for n in range(1100)]
    assert office.get(f"/v1/campaigns/{name}/messages?status=delivered").json == {"messages": [], "next": None}
    assert len(office.get(f"/v1/campaigns/{name}/messages?status=ready").json["messages"]) == 100
    assert office.get(f"/v1/campaigns/{name}/messages?status=odd").problem == "invalid"
    assert office.get(f"/v1/campaigns/{name}/messages?cursor=odd").problem == "invalid"
    assert office.get("/v1/campaigns/0123456789abcdef/messages").problem == "not-found"


def test_an_export_is_the_same_in_every_format_and_runs_in_no_spreadsheet(office: Office) -> None:
    name = campaign(office, 2000, 700)
    path = f"/v1/campaigns/{name}/export"
    lines = [json.loads(line) for line in office.get(path).body.splitlines()]
    table = list(csv.DictReader(io.StringIO(office.get(f"{path}?format=csv").body.decode())))
    parquet = pyarrow.parquet.read_table(io.BytesIO(office.get(f"{path}?format=parquet").body))
    numbers = [f"+1312559{n:04d}" for n in range(2000, 2700)]
    assert [each["to"] for each in lines] == [each["to"] for each in table] == parquet["to"].to_pylist() == numbers
    assert (lines[0]["reference"], table[0]["reference"]) == ("=1+2000", "'=1+2000")
    told = office.world.run("export", name, "--format", "csv").stdout
    assert "'=1+2000" in told
    assert numbers[0] in told
    assert office.get("/v1/campaigns/0123456789abcdef/export").problem == "not-found"


def test_terms_change_while_a_campaign_runs_and_what_is_over_stays_as_it_is(office: Office) -> None:
    name = campaign(office, 4000, 3)
    told = office.call("PATCH", f"/v1/campaigns/{name}", {"rate": "2.5", "priority": "urgent"})
    assert told.status == 200, told.body
    assert told.json["priority"] == "urgent"
    assert office.call("PATCH", f"/v1/campaigns/{name}", {"rate": None}).status == 200
    odd: list[dict[str, Any]] = [{}, {"rate": 0}, {"colour": 1}, {"expires": "soon"}, {"quiet_hours": "late"}]
    assert {office.call("PATCH", f"/v1/campaigns/{name}", each).problem for each in odd} == {"invalid"}
    assert office.post(f"/v1/campaigns/{name}:retry", {}).json["messages"] == 0
    assert office.post(f"/v1/campaigns/{name}:retry", {"errors": ["40008"]}).json["messages"] == 0
    assert office.post(f"/v1/campaigns/{name}:retry", {"errors": []}).problem == "invalid"
    office.post(f"/v1/campaigns/{name}:cancel")
    assert office.call("PATCH", f"/v1/campaigns/{name}", {"rate": 1}).problem == "conflict"
    assert office.post(f"/v1/campaigns/{name}:retry", {}).problem == "conflict"
    absent = office.call("PATCH", "/v1/campaigns/0123456789abcdef", {"rate": 1})
    assert (absent.status, absent.problem) == (404, "not-found")
