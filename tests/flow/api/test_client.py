"""The client against a real `volley serve`, with a network between them that loses, cuts and delays what it likes."""

import asyncio
import csv
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from producer.client import (
    NEVER,
    AsyncClient,
    Client,
    Invalid,
    KeyTaken,
    NotFound,
    NothingToSend,
    Pushed,
    Retries,
    StillRunning,
    Unauthenticated,
    UnexpectedAnswer,
    Unreachable,
    UnusableRows,
    VolleyError,
)
from tests.chaos.proxy import Proxy, Way
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.cli.conftest import wait_until

HASTY = Retries(tries=12, within_s=60, first_s=0.05, longest_s=0.5)
PATIENCE_S = 1.5
SWALLOWED = Way(swallow=True)


def people(first: int, count: int) -> list[dict[str, object]]:
    return [{"to": f"+1312555{first + n:04d}", "name": f"Zoë {n}", "reference": f"r{n}"} for n in range(count)]


def known(office: Office) -> set[str]:
    with Client(office.url, office.key) as volley:
        return {each.campaign_id for each in volley.campaigns(page_size=200)}


@pytest.fixture
def volley(office: Office) -> Iterator[Client]:
    with Client(office.url, office.key, retries=HASTY) as made:
        yield made


@pytest.fixture
def line(office: Office) -> Iterator[Proxy]:
    """What stands between; the port is that of the proxy."""
    target = urlsplit(office.url)
    with Proxy((str(target.hostname), target.port or 0)) as made:
        yield made


def through(line: Proxy, office: Office, retries: Retries = HASTY) -> Client:
    return Client(f"http://127.0.0.1:{line.port}", office.key, retries=retries, timeout_s=PATIENCE_S)


def test_rows_of_a_generator_become_one_campaign_that_can_be_followed_and_steered(volley: Client) -> None:
    pushed = volley.push((row for row in people(100, 7)), profile=PROFILE, template="Hi {name}", tags=["a", "b"])
    assert (pushed.accepted, pushed.rejected, pushed.replayed) == (7, 0, False)
    found = volley.campaign(pushed.id)
    assert (found.accepted, found.state, found.over) == (7, "ready", False)
    assert found.estimated_cost == pushed.estimated_cost
    assert volley.pause(pushed.id).state == "paused"
    assert volley.resume(pushed.id).state == "ready"
    looks: list[str] = []
    with pytest.raises(StillRunning):
        volley.wait_until_done(pushed.id, lambda each: looks.append(each.state), timeout_s=3, every_s=0.1)
    assert looks[0] == "ready"
    assert len(looks) >= 2
    assert volley.cancel(pushed.id).state == "cancelled"
    assert volley.wait_until_done(pushed.id).counts["cancelled"] == 7


@pytest.mark.parametrize("form", ["csv", "csv.gz", "ndjson", "gzip", "zstd", "open", "text", "pipe"])
def test_a_file_of_any_form_is_the_campaign_that_its_rows_are(volley: Client, tmp_path: Path, form: str) -> None:
    rows = people(200, 3)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    plain = text.getvalue().encode()
    options = {"profile": PROFILE, "template": f"{form}: Hi {{name}}"}
    match form:
        case "csv.gz":
            (tmp_path / "people.csv.gz").write_bytes(gzip.compress(plain))
            pushed = volley.push_file(str(tmp_path / "people.csv.gz"), **options)  # type: ignore[arg-type]
        case "ndjson":
            (tmp_path / "people.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
            pushed = volley.push_file(tmp_path / "people.ndjson", **options)  # type: ignore[arg-type]
        case "open":
            pushed = volley.push_file(io.BytesIO(plain), kind="csv", **options)  # type: ignore[arg-type]
        case "text":
            pushed = volley.push_file(io.StringIO(text.getvalue()), kind="csv", **options)  # type: ignore[arg-type]
        case "pipe":
            pushed = volley.push_file(_Forward(plain), kind="csv", packing="gzip", **options)  # type: ignore[arg-type]
        case _:
            (tmp_path / "people.csv").write_bytes(plain)
            packing = form if form in ("gzip", "zstd") else None
            pushed = volley.push_file(tmp_path / "people.csv", packing=packing, **options)  # type: ignore[arg-type]
    assert (pushed.accepted, pushed.rejected) == (3, 0)


class _Forward(io.BytesIO):
    """As a pipe: read once, forward only."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError("a pipe cannot go back")


def test_a_dry_run_tells_all_of_it_and_makes_nothing(office: Office, volley: Client) -> None:
    before = known(office)
    told = volley.push(people(300, 4), dry_run=True, profile=PROFILE, text="Hello 你")
    assert (told.accepted, told.campaign_id) == (4, None)
    assert told.forecast is not None
    assert told.forecast["encodings"]["UCS-2"] == 4
    with pytest.raises(ValueError, match="dry run"):
        _ = told.id
    assert known(office) == before


def test_rejected_rows_are_told_with_their_reasons_and_kept_in_a_file(volley: Client, tmp_path: Path) -> None:
    rows = [*people(400, 2), {"to": "nobody", "name": "N", "reference": "x"}]
    pushed = volley.push(rows, profile=PROFILE, template="Hi {name}")
    assert (pushed.accepted, pushed.rejected) == (2, 1)
    assert pushed.rejected_rows[0].row == 3
    volley.rejects(pushed.id, tmp_path / "rejects.csv")
    assert "nobody" in (tmp_path / "rejects.csv").read_text()
    with pytest.raises(NothingToSend) as none:
        volley.push(rows[2:], profile=PROFILE, template="Hi {name}")
    assert none.value.problem.name == "nothing-to-send"
    assert list(tmp_path.iterdir()) == [tmp_path / "rejects.csv"]


def test_what_is_wrong_is_raised_by_its_name_and_nothing_is_tried_again(office: Office, volley: Client) -> None:
    with pytest.raises(NotFound) as absent:
        volley.campaign("0123456789abcdef")
    assert absent.value.problem.status == 404
    with pytest.raises(Invalid) as wrong:
        volley.push(people(500, 1), profile=PROFILE, text="Hi", weight=5000)
    assert "weight" in str(wrong.value)
    with pytest.raises(Unauthenticated), Client(office.url, "vk_live_wrong_wrong") as stranger:
        stranger.campaign("x")
    with pytest.raises(UnexpectedAnswer), Client(f"{office.url}/elsewhere", office.key) as lost:
        lost.campaign("x")
    assert office.key[20:] not in repr(volley)


@pytest.mark.parametrize("row", [{"to": object()}, {"to": float("nan")}, {"to": "\ud800"}, "+13125550100"])
def test_rows_that_no_json_can_say_are_refused_before_anything_is_sent(volley: Client, row: object) -> None:
    with pytest.raises(UnusableRows, match="row 2"):
        volley.push([*people(600, 1), row], profile=PROFILE, text="Hi")  # type: ignore[list-item]


def test_the_same_key_is_the_same_campaign_and_never_another_content(volley: Client) -> None:
    first, again = (
        volley.push(people(700, 3), idempotency_key="order 7", profile=PROFILE, text="Yes") for _ in range(2)
    )
    assert again.replayed
    assert first.id == again.id
    with pytest.raises(KeyTaken) as taken:
        volley.push(people(700, 4), idempotency_key="order 7", profile=PROFILE, text="Yes")
    assert taken.value.idempotency_key == "order 7"


Break = Callable[[Proxy], object]
FAULTS: dict[str, Break] = {
    "the answer is lost": lambda line: line.set(back=SWALLOWED),
    "the answer is cut in its head": lambda line: line.set(back=Way(cut_after=10)),
    "the answer is cut in its body": lambda line: line.set(back=Way(cut_after=400, end="fin")),
    "the rows are cut": lambda line: line.set(there=Way(cut_after=700)),
    "the answer comes too late": lambda line: line.set(back=Way(delay_s=PATIENCE_S + 1)),
}


def push_through(line: Proxy, office: Office, fault: str, first: int, *, retries: Retries = HASTY) -> Pushed:
    """The network is well again once the first try is over."""
    FAULTS[fault](line)
    tried: list[object] = []

    class Mending(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            tried.append(request.headers["Idempotency-Key"])
            if len(tried) > 1:
                line.clear()
            return super().handle_request(request)

    url = f"http://127.0.0.1:{line.port}"
    own = {"Authorization": f"Bearer {office.key}"}
    with (
        httpx.Client(base_url=url, headers=own, timeout=PATIENCE_S, transport=Mending()) as http,
        Client(url, office.key, retries=retries, http=http) as volley,
    ):
        pushed = volley.push(people(first, 20), profile=PROFILE, template=f"{fault}: {{name}}")
    assert len(tried) > 1
    assert len(set(tried)) == 1
    return pushed


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_network_does_a_push_is_one_campaign(office: Office, line: Proxy, fault: str) -> None:
    before = known(office)
    pushed = push_through(line, office, fault, 1000)
    wait_until(lambda: pushed.id in known(office))
    assert known(office) - before == {pushed.id}
    with Client(office.url, office.key) as volley:
        assert volley.campaign(pushed.id).accepted == 20
    assert pushed.replayed == fault.startswith("the answer"), "the first try had made it"


def test_with_a_fresh_key_for_each_try_it_would_be_two(office: Office, line: Proxy) -> None:
    """The control: what keeps it one campaign is the key that stays the same, and `again` puts the other net away."""
    before = known(office)
    line.set(back=SWALLOWED)
    with through(line, office, NEVER) as volley, pytest.raises(Unreachable) as lost:
        volley.push(people(1100, 5), profile=PROFILE, text="control")
    assert lost.value.idempotency_key
    wait_until(lambda: len(known(office) - before) == 1)
    line.clear()
    with through(line, office) as volley:
        volley.push(people(1100, 5), profile=PROFILE, text="control", idempotency_key="another")
        assert len(known(office) - before) == 2
        same = volley.push(people(1100, 5), profile=PROFILE, text="control", idempotency_key=lost.value.idempotency_key)
    assert same.replayed
    assert len(known(office) - before) == 2


def test_while_nobody_listens_it_tries_for_so_long_and_then_says_that_nothing_was_sent(
    office: Office, line: Proxy
) -> None:
    line.refuse()
    with through(line, office, Retries(tries=3, first_s=0.05)) as volley, pytest.raises(Unreachable) as away:
        volley.push(people(1200, 1), profile=PROFILE, text="Hi")
    assert away.value.never_sent


def test_a_file_that_changes_between_two_tries_is_not_pushed_as_half_of_each(
    office: Office, line: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("to\n+13125551300\n")

    class Writing(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            try:
                return super().handle_request(request)
            finally:
                path.write_text("to\n+13125551300\n+13125551301\n")

    line.set(back=Way(cut_after=10))
    url = f"http://127.0.0.1:{line.port}"
    with (
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {office.key}"}, transport=Writing()) as http,
        pytest.raises(UnusableRows, match="changed"),
    ):
        Client(url, office.key, retries=HASTY, http=http).push_file(path, profile=PROFILE, text="Hi")


async def test_the_asynchronous_twin_does_the_same(office: Office, line: Proxy, tmp_path: Path) -> None:
    async def rows() -> AsyncIterator[dict[str, object]]:
        for row in people(1400, 6):
            yield row

    line.set(back=Way(cut_after=10))
    async with AsyncClient(f"http://127.0.0.1:{line.port}", office.key, retries=HASTY, timeout_s=PATIENCE_S) as volley:
        pushing = asyncio.create_task(volley.push(rows(), profile=PROFILE, text="async"))
        await asyncio.sleep(0.3)
        line.clear()
        pushed = await pushing
        (tmp_path / "people.csv").write_text("to\n+13125551450\n+13125551451\n")
        file = await volley.push_file(tmp_path / "people.csv", packing="gzip", profile=PROFILE, text="async file")
        assert (pushed.accepted, file.accepted) == (6, 2)
        listed = [each.campaign_id async for each in volley.campaigns(page_size=3)]
        assert {pushed.id, file.id} <= set(listed)
        assert (await volley.pause(pushed.id)).state == "paused"
        assert (await volley.resume(pushed.id)).state == "ready"
        assert (await volley.cancel(pushed.id)).state == "cancelled"
        assert (await volley.wait_until_done(pushed.id)).counts["cancelled"] == 6
        with pytest.raises(VolleyError):
            await volley.rejects(file.id, tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()
