"""What Python and Lua must agree on to the byte, told from the script's own text."""

import re
import struct
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volley.errors import VolleyError
from volley.outbox import events, flights, keys, receipts, scripts
from volley.outbox.chunks import MMS, SIZE, Chunk, decode, encode
from volley.outbox.flights import grants, refs
from volley.outbox.keys import DIRECTORY, Keys

LUA = resources.files("volley.outbox") / "lua"
LIB = (LUA / "lib.lua").read_text("utf-8")
SETTLE = (LUA / "settle.lua").read_text("utf-8")
SIZES = {"B": 1, "I2": 2, "I4": 4, "I8": 8, "i4": 4, "c1": 1}


def layout(text: str, name: str) -> list[str]:
    """The fields of a struct format in Lua."""
    found = re.search(rf"local {name} = '>([^']+)'", text)
    assert found
    return re.findall(r"[A-Za-z]\d?", found[1])


def python(fields: list[str]) -> str:
    return ">" + "".join({"B": "B", "I2": "H", "I4": "I", "I8": "Q", "i4": "i", "c1": "c"}[field] for field in fields)


@pytest.mark.parametrize(
    ("text", "name", "held"),
    [
        (LIB, "REF", flights.REF.format),
        (LIB, "RECORD", flights.RECORD.format),
        (SETTLE, "OUTCOME", flights.OUTCOME.format),
        (LIB, "MOVE", events.MOVE.format.replace("16s", "")),
    ],
)
def test_layouts_are_the_same_on_both_sides(text: str, name: str, held: str) -> None:
    assert python(layout(text, name)) == held


@pytest.mark.parametrize("name", ["REF", "RECORD"])
def test_the_sizes_that_scripts_step_by_are_those_of_the_layouts(name: str) -> None:
    found = re.search(rf"local {name}_SIZE = (\d+)", LIB)
    assert found
    assert int(found[1]) == sum(SIZES[field] for field in layout(LIB, name)) == getattr(flights, name).size


def test_outcomes_are_as_long_as_settle_steps() -> None:
    assert f"1, #outcomes, {flights.OUTCOME.size} do" in SETTLE


def test_a_receipts_place_is_as_long_as_its_script_steps() -> None:
    assert f"#ARGV[3], {receipts.POSITION.size} do" in (LUA / "receipts.lua").read_text("utf-8")


def test_scripts_know_the_directory_in_its_order() -> None:
    listed = re.search(r"local names = \{(.*?)\}", LIB, re.S)
    assert listed
    assert re.findall(r"'(\w+)'", listed[1]) == [key.name for key in DIRECTORY]


def test_scripts_use_no_key_but_those() -> None:
    known = {key.name for key in DIRECTORY}
    for name in scripts.names():
        used = set(re.findall(r"\bK\.(\w+)", (LUA / f"{name}.lua").read_text("utf-8")))
        assert used <= known, name
    assert set(re.findall(r"\bK\.(\w+)", LIB)) <= known


def test_people_are_in_the_same_bucket_on_both_sides() -> None:
    assert f"local PIN_BUCKETS = {keys.PIN_BUCKETS}\n" in LIB


def test_nobody_has_one_name() -> None:
    assert f"local NOBODY = {events.NOBODY}\n" in LIB


def test_all_keys_of_an_account_are_in_one_slot_and_no_two_are_alike() -> None:
    directory = Keys("acct").directory
    assert len(set(directory)) == len(directory)
    assert all(name.startswith("volley:{acct}:") for name in directory)
    assert not [(a, b) for a in directory for b in directory if a != b and a.endswith(":") and b.startswith(a)]


def test_every_key_says_what_ends_it() -> None:
    assert all(key.type and key.lifetime for key in DIRECTORY)
    assert Keys("a").of("lane", "c", "s1") == "volley:{a}:lane:c:s1"
    with pytest.raises(KeyError):
        Keys("a").of("nonsense")


@pytest.mark.parametrize("name", scripts.names())
def test_every_script_says_what_it_is_for(name: str) -> None:
    head = (LUA / f"{name}.lua").read_text("utf-8")
    assert head.startswith(f"-- {name}: ")
    assert "\n-- ARGV: " in head
    assert "\n-- Returns: " in head


def test_only_what_comes_in_is_refused_when_memory_is_full() -> None:
    go_on = ("#!lua flags=allow-oom\n", "#!lua flags=no-writes\n")
    refused = {name for name in scripts.names() if not scripts.source(name).startswith(go_on)}
    assert refused == {"admit", "seal", "keep", "restore", "redrive", "retry", "rebuild", "rebuild_chunk"}


def test_scripts_use_no_chance_and_no_floats_in_keys() -> None:
    for name in scripts.names():
        assert "math.random" not in scripts.source(name)


u8, u32 = st.integers(0, 255), st.integers(0, 2**32 - 1)
RECORDS = st.tuples(u32, st.integers(0, 1), u32, st.integers(0, 65535), u8, u8, u8, u8, st.integers(1, 10**15 - 1), u32)


@given(st.lists(RECORDS, min_size=1, max_size=20), st.integers(0, 2**52))
def test_a_flight_is_read_as_it_was_packed(records: list[tuple[int, ...]], now_us: int) -> None:
    ids = ["0123456789abcdef", "fedcba9876543210"]
    head = struct.pack(">BB", 1, 2) + "".join(ids).encode() + struct.pack(">H", len(records)) + b"s" * len(records)
    found = list(grants(head + b"".join(flights.RECORD.pack(*record) for record in records), now_us))
    assert [grant.position for grant in found] == list(range(len(records)))
    for grant, (sender, ordinal, chunk, offset, parts, attempt, spent, generation, to, delay) in zip(
        found, records, strict=True
    ):
        assert grant[1:] == (
            ids[ordinal], sender, chunk, offset, parts, attempt, spent, generation, to, now_us + delay,
        )  # fmt: skip


def test_a_flight_or_chunk_of_a_newer_release_is_refused() -> None:
    with pytest.raises(VolleyError, match="update Volley"):
        list(grants(b"\x02\x00\x00\x00", 0))
    with pytest.raises(VolleyError, match="update Volley"):
        decode(b"\x03abc")


def test_a_chunk_without_mms_can_be_read_by_the_release_before_and_one_with_cannot() -> None:
    columns = ([13125550100] * 2, None, [], bytes([1, 1]))
    texts, mixed = Chunk(*columns, bytes([0, 1]), [1, 1]), Chunk(*columns, bytes([0, MMS]), [1, 1])
    assert (encode(texts)[0], encode(mixed)[0]) == (1, 2)
    assert [decode(encode(each)) for each in (texts, mixed)] == [texts, mixed]


CELLS = st.none() | st.text(max_size=20)


@settings(deadline=None)
@given(st.data(), st.integers(0, 30), st.integers(0, 3))
def test_a_chunk_is_read_as_it_was_written(data: st.DataObject, n: int, columns: int) -> None:
    def column(kind: st.SearchStrategy[object]) -> list[object]:
        return data.draw(st.lists(kind, min_size=n, max_size=n))

    references = column(CELLS) if data.draw(st.booleans()) else None
    values = [column(CELLS) for _ in range(columns)]
    chunk = Chunk(
        column(st.integers(1, 10**15 - 1)),  # type: ignore[arg-type]
        references,  # type: ignore[arg-type]
        values,  # type: ignore[arg-type]
        bytes(data.draw(st.lists(st.integers(1, 10), min_size=n, max_size=n))),
        bytes(n),
        column(st.integers(-1, 2**40)),  # type: ignore[arg-type]
    )
    assert decode(encode(chunk)) == chunk
    assert len(chunk) == n
    unpacked = list(flights.REF.iter_unpack(refs(7, chunk)))
    assert [ref[:3] + ref[6:] for ref in unpacked] == [(7, i, chunk.parts[i], chunk.to[i]) for i in range(n)]


def test_a_full_chunk_fits_a_ref() -> None:
    assert SIZE <= 65535


def test_records_are_read_as_they_were_packed() -> None:
    facts = ("c" * 16, 1, 2, 3, 4, None, "+1", "GSM-7", 1, -1, 5, 6, 7, "accepted", 200, "", "", "id", "UCS-2")
    attempt = events.AttemptRecord(*facts, 2, -1, -1, -1, "USD")
    assert events.unpack_attempts(events.pack([attempt, attempt])) == [attempt, attempt]
