"""Which rows become messages, and why the others do not."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from producer.push.rejects import Rejects
from producer.push.request import PushRequest
from producer.push.rows import Batch, Rows
from producer.push.sources import open_source
from volley.errors import UnusableInput
from volley.settings import Settings

HELLO = "Hi {name}"


def read(content: str, rejects: Path | None = None, **fields: Any) -> Rows:
    request = PushRequest("p", **({"template": HELLO} | fields))
    source = open_source(BytesIO(content.encode()), "list.csv")
    return Rows(source, request, Settings(), Rejects(rejects, source.titles))


def drained(content: str, **fields: Any) -> tuple[Rows, list[Batch]]:
    rows = read(content, **fields)
    batches = []
    while (batch := rows.batch()) is not None:
        batches.append(batch)
    return rows, batches


def hashed(content: str, **fields: Any) -> str:
    return drained(content, **fields)[0].content_hash


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"+1312555{number:04d}" for number in range(start, start + count)]


def test_a_row_becomes_a_number_a_text_its_parts_and_its_values() -> None:
    rows, [batch] = drained("reference,name,to\nr1,Ann,+1 312 555 0100\n,Bjørn ş,+13125550101\n")
    assert batch.to == [13125550100, 13125550101]
    assert batch.texts == ["Hi Ann", "Hi Bjørn ş"]
    assert batch.references == ["r1", None]
    assert batch.values == [["Ann", "Bjørn ş"]]
    assert list(batch.parts) == [1, 1]
    assert list(batch.encodings) == [0, 1]
    assert (rows.rejected, rows.duplicates) == (0, 0)


def test_national_numbers_need_a_region() -> None:
    assert drained("to,name\n312-555-0100,Ann\n", region="us")[1][0].to == [13125550100]
    assert drained("to,name\n312-555-0100,Ann\n")[0].rejected == 1


def test_a_number_is_let_through_once_however_it_is_spelled() -> None:
    rows, [batch] = drained("to,name\n+13125550100,Ann\n(312) 555-0100,Ben\n+1 312 5550100,Cem\n", region="US")
    assert batch.texts == ["Hi Ann"]
    assert rows.duplicates == 2


def test_a_refused_row_does_not_make_the_next_one_a_duplicate() -> None:
    rows, [batch] = drained("to,name\n+13125550100,\n+13125550100,Ann\n")
    assert batch.texts == ["Hi Ann"]
    assert (rows.rejected, rows.duplicates) == (1, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ann", "no number"),
        ("12,Ann", "no country code"),
        ("+13125550100,", "no value for {name}"),
        ("+13125550100,Ann,more", "3 cells where the header has 2"),
        ("+13125550100", "1 cells where the header has 2"),
        (f"+13125550100,{'x' * 1600}", "11 parts"),
    ],
)
def test_a_bad_row_is_counted_named_and_passed_over(row: str, reason: str) -> None:
    rows, [batch] = drained(f"to,name\n\n{row}\n+13125550199,Ann\n")
    assert batch.texts == ["Hi Ann"]
    assert rows.rejected == 1
    [example] = rows.examples
    assert example.row == 3  # as an editor shows it: the header is 1, the blank line 2
    assert reason in example.reason
    assert rows.reasons == {example.reason: 1}


def test_lines_with_nothing_in_them_are_no_rows() -> None:
    rows, [batch] = drained("\n\nto,name\n,\n\n , \n,,,\n+13125550100,Ann\n,\n")
    assert batch.texts == ["Hi Ann"]
    assert rows.rejected == 0


def test_blank_lines_between_json_lines_are_no_rows() -> None:
    rows, [batch] = drained('\n{"to":"+13125550100","name":"Ann"}\n\r\n \n{"to":"+13125550101","name":"Ben"}\n\n')
    assert batch.texts == ["Hi Ann", "Hi Ben"]
    assert rows.rejected == 0


def test_an_object_without_a_number_is_a_row_all_the_same() -> None:
    rows, [batch] = drained('{"to":"+13125550100","name":"Ann"}\n{"phone":"+13125550101"}\n{}\n')
    assert len(batch.to) == 1
    assert rows.rejected == 2


@pytest.mark.parametrize("place", ["to", "name", "reference"])
def test_a_nul_that_json_lets_through_is_refused_or_never_stored(place: str) -> None:
    row = {"to": "+13125550100", "name": "Ann", "reference": "r"} | {place: "+13125550100\\u0000"}
    line = "{" + ",".join(f'"{key}":"{value}"' for key, value in row.items()) + "}"
    for batch in drained(line)[1]:
        assert "\0" not in f"{batch.to}{batch.references}{batch.values}"


def test_a_reference_longer_than_a_column_holds_is_refused() -> None:
    rows, batches = drained(f"to,name,reference\n+13125550100,Ann,{'r' * 256}\n+13125550101,Ann,{'r' * 255}\n")
    assert batches[0].to == [13125550101]
    assert "reference" in rows.examples[0].reason


def test_batches_have_500_messages_whatever_was_refused_between_them() -> None:
    lines = [line for number in numbers(1001) for line in (f"{number},Ann", "nobody,Ann")]
    rows, batches = drained("to,name\n" + "\n".join(lines))
    assert [len(batch.to) for batch in batches] == [500, 500, 1]
    assert rows.rejected == 1001


def test_a_literal_text_keeps_its_braces_and_needs_no_variables() -> None:
    rows, [batch] = drained("to\n+13125550100\n", template=None, text="{name} {{x}} €")
    assert batch.texts == ["{name} {{x}} €"]
    assert batch.values == []
    assert rows.template == "{{name}} {{{{x}}}} €"


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), (" \n", "empty"), ("x" * 1531, "11 parts"), ("a\0b", "NUL"), ("ş" * 671, "11 parts")],
)
def test_a_text_that_no_row_could_make_right_is_refused_at_once(text: str, says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        read("to\n+13125550100\n", template=None, text=text)


def test_a_text_that_its_encoding_cannot_carry_is_refused() -> None:
    with pytest.raises(UnusableInput, match="gsm7"):
        read("to\n+13125550100\n", template=None, text="ş", encoding="gsm7")
    rows, [batch] = drained("to,name\n+13125550100,ş\n+13125550101,Ann\n", encoding="gsm7")
    assert batch.texts == ["Hi Ann"]
    assert rows.rejected == 1


def test_the_content_hash_is_the_same_for_the_same_people_and_values() -> None:
    csv = "to,name,other\n+13125550100,Ann,1\n+13125550101,Ben,2\n"
    same = [
        csv.replace("\n", "\r\n"),
        "other;name;to\n5;Ann;+1 (312) 555-0100\n6;Ben;+13125550101\n",
        csv + "+13125550100,Again,3\nnobody,x,4\n",
        '{"name":"Ann","to":"+13125550100"}\n{"to":13125550101,"name":"Ben"}\n'.replace(":1312", ':"+1312').replace(
            '101,"', '101","'
        ),
    ]
    assert {hashed(content) for content in [csv, *same]} == {hashed(csv)}


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("to,name\n+13125550101,Ann\n", {}),
        ("to,name\n+13125550100,Ben\n", {}),
        ("to,name,reference\n+13125550100,Ann,r\n", {}),
        ("to,name\n+13125550100,Ann\n+13125550101,Ben\n", {}),
        ("to,name\n+13125550100,Ann\n", {"template": "Ho {name}"}),
        ("to,name\n+13125550100,Ann\n", {"sender": "+13125559000"}),
        ("to,name\n+13125550100,Ann\n", {"encoding": "ucs2"}),
        ("to,name\n+13125550100,Ann\n", {"smart_encoding": True}),
    ],
)
def test_the_content_hash_differs_where_the_messages_do(content: str, fields: dict[str, Any]) -> None:
    assert hashed(content, **fields) != hashed("to,name\n+13125550100,Ann\n")


def test_rejected_rows_are_in_a_file_with_their_number_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "list.rejects.csv"
    rows = read('to,name\n+13125550100,Ann\n"no,body",Ann\n+13125550101,\n', rejects=path)
    rows.batch()
    assert not path.exists()
    assert rows._rejects.keep() == path
    lines = path.read_text("utf-8").splitlines()
    assert lines[0] == "row,reason,to,name"
    assert lines[1].startswith("3,")
    assert lines[1].endswith('"no,body",Ann')
    assert lines[2] == "4,no value for {name},+13125550101,"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_no_rejected_row_no_file_and_a_dropped_one_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    rows = read("to,name\n+13125550100,Ann\n", rejects=path)
    rows.batch()
    assert rows._rejects.keep() is None
    rows = read("to,name\nx,Ann\n", rejects=path)
    rows.batch()
    rows._rejects.drop()
    assert list(tmp_path.iterdir()) == []


def test_rejects_that_cannot_be_written_stop_the_push(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="cannot be written"):
        read("to,name\nx,Ann\n", rejects=tmp_path / "absent" / "rejects.csv").batch()


@pytest.mark.parametrize("count", [5_000, 80_000])  # the second is where the table has just grown
def test_the_index_of_duplicates_takes_at_most_100_bytes_a_row_above_a_megabyte(count: int) -> None:
    lines = (f"+1312{number}" for number in range(2_000_000, 2_000_000 + count))
    rows, _ = drained("to\n" + "\n".join(lines), template=None, text="Hi")
    held = sys.getsizeof(rows._seen) + sum(sys.getsizeof(number) for number in rows._seen)
    assert len(rows._seen) == count
    assert held <= 100 * count + (1 << 20)
