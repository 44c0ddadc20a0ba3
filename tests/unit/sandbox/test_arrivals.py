"""The log is complete, pages without gaps, and outlives a kill."""

from pathlib import Path

import pytest

from producer.trial import KEPT_SENDS, Trial
from volley.sandbox.arrivals import Arrival, ArrivalLog, Entry, read
from volley.settings import Settings


def _entry(number: int, result: str = "accepted") -> Entry:
    entry = Entry(number * 1000, 1_700_000_000_000_000 + number)
    entry.sender, entry.to, entry.parts = "+12015550100", f"+1202555{number % 50:04d}", 1 + number % 3
    entry.id, entry.key, entry.text_crc, entry.result = f"id-{number}", f"key-{number}", 7, result
    return entry


def _filled(path: Path, count: int, batch: int = 7) -> ArrivalLog:
    log = ArrivalLog(path)
    for number in range(count):
        log.add(_entry(number))
        if number % batch == 0:
            log.flush()
    log.flush()
    return log


def test_what_was_added_is_read_in_order(tmp_path: Path) -> None:
    _filled(tmp_path / "log", 40).close()
    arrivals = list(read(tmp_path / "log"))
    assert [each.id for each in arrivals] == [f"id-{number}" for number in range(40)]
    assert arrivals[3] == Arrival(
        3000, 1_700_000_000_000_003, "+12015550100", "+12025550003", 1, "id-3", "key-3", "", 7, 200, "", "accepted", ""
    )


def test_pages_of_any_size_hold_every_arrival_once(tmp_path: Path) -> None:
    log = _filled(tmp_path / "log", 100)
    for size in (1, 9, 100, 1000):
        pages = [log.page(after, size) for after in range(0, 100, size)]
        assert [each.id for page in pages for each in page] == [f"id-{number}" for number in range(100)]
    assert log.page(100, 10) == []
    log.close()


def test_a_page_holds_what_was_added_a_moment_ago(tmp_path: Path) -> None:
    log = _filled(tmp_path / "log", 3)
    log.add(_entry(3))
    assert len(log.page(0, 10)) == 4
    log.close()


def test_runs_follow_each_other_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    _filled(path, 5).close()
    path.write_bytes(path.read_bytes()[:-20])
    assert len(list(read(path))) == 4
    second = _filled(path, 2)
    assert [each.id for each in second.page(0, 10)] == ["id-0", "id-1"]
    second.close()
    assert [each.id for each in read(path)] == ["id-0", "id-1", "id-2", "id-3", "id-0", "id-1"]


def test_a_hole_in_the_middle_of_a_run_is_no_honest_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    _filled(path, 5).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b'["half\n', *lines[3:]]))
    with pytest.raises(ValueError, match="line 4"):
        list(read(path))


def test_stats_count_messages_parts_and_duplicates(tmp_path: Path) -> None:
    log = _filled(tmp_path / "log", 60)
    log.add(_entry(60, "refused"))
    log.flush()
    stats = log.columns.stats()
    assert (stats["accepted"], stats["parts"], stats["recipients"], stats["duplicates"]) == (60, 120, 50, 10)
    assert stats["by_from"] == {"+12015550100": {"messages": 60, "parts": 120}}
    log.close()


def test_a_log_that_is_bounded_keeps_the_newest_in_its_file_and_in_memory(tmp_path: Path) -> None:
    log = ArrivalLog(tmp_path / "log", keep=100)
    for number in range(1000):
        log.add(_entry(number))
        if number % 7 == 0:
            log.flush()
        if number % 50 == 0:
            assert 50 <= len(log.page(0, 1000)) <= 100 or number < 50
    kept = log.page(0, 1000)
    assert [each.id for each in kept] == [f"id-{number}" for number in range(1000 - len(kept), 1000)]
    assert [each.id for each in log.page(990, 5)] == [f"id-{number}" for number in range(990, 995)]
    assert log.columns.stats()["accepted"] == len(log.columns.crc) == len(kept) == len(list(read(tmp_path / "log")))
    log.close()


def test_the_sandbox_that_volley_up_brings_is_bounded(tmp_path: Path) -> None:
    sandbox = next(iter(Trial(Settings(home=tmp_path, test_account="tests"), print).children({})))
    words = list(sandbox.command)
    assert int(words[words.index("--keep-log") + 1]) == KEPT_SENDS
