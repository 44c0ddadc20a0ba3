"""What a file may hold, and what is refused as a whole."""

import contextlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.push.sources import BLOCK, MAX_LINE, CsvSource, ObjectSource, Source, open_source
from volley.errors import UnusableInput


def opened(content: str | bytes, name: str = "list.csv") -> Source:
    return open_source(BytesIO(content.encode() if isinstance(content, str) else content), name)


def rows(content: str | bytes, *names: str, name: str = "list.csv") -> list[list[str | None]]:
    source = opened(content, name)
    source.select(names)
    return [list(row) for row in source.rows()]


def test_a_csv_file_gives_its_cells_and_the_columns_of_its_header() -> None:
    source = opened('to,name\n+1,"Ann, ""A"""\n')
    assert source.select(("name",)) == ("to", "name")
    assert [list(row) for row in source.rows()] == [["+1", 'Ann, "A"']]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert rows(b"\xef\xbb\xbfto,name\n+1,Ann\n", "name") == [["+1", "Ann"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_row(end: str) -> None:
    assert rows(end.join(["to,name", "+1,Ann", "+2,Ben", ""])) == [["+1", "Ann"], ["+2", "Ben"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_that_cross_blocks_stay_whole(end: str) -> None:
    count = BLOCK // 10
    lines = [f"+{number},é{number}" for number in range(count)]
    found = rows(end.join(["to,name", *lines, ""]))
    assert len(found) == count
    assert found[-1] == [f"+{count - 1}", f"é{count - 1}"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_tells_the_delimiter(delimiter: str) -> None:
    assert rows(delimiter.join(["to", "name"]) + "\n" + delimiter.join(["+1", "a|b"])) == [["+1", "a|b"]]


def test_json_lines_give_the_wanted_values_and_none_for_absent_ones() -> None:
    content = '{"to":"+1","name":"Ann","x":[1]}\n\n{"to":12025550123,"reference":"r","name":null}\n'
    assert rows(content, "name") == [["+1", None, "Ann"], [], ["12025550123", "r", None]]


def test_quotes_make_no_row_of_a_whole_file() -> None:
    """Each line is short, and every quote ends on the next one: a single row, as large as the file."""
    content = "to,name\n+1,Ann\n" + '"a\n",' * MAX_LINE
    with pytest.raises(UnusableInput, match="characters"):
        rows(content)
    cell = "x\n" * (BLOCK // 4)
    assert rows(f'to,name\n+1,"{cell}"\n+2,"{cell}"\n', "name") == [["+1", cell], ["+2", cell]]


def test_long_json_lines_are_not_looked_at_by_the_hundred() -> None:
    """Parsed they take many times their bytes, and what tells the columns is held at once."""
    line = '{"to":"+1","x":[' + "[]," * (BLOCK // 4) + "[]]}\n"
    read = 0

    class Counted(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal read
            found = super().read(size)
            read += len(found)
            return found

    source = open_source(Counted((line * 15).encode()), "list.jsonl")
    assert read < 8 * BLOCK
    source.select(())
    assert sum(1 for _ in source.rows()) == 15


def test_what_is_nested_more_deeply_than_can_be_written_is_a_row_like_others() -> None:
    source = opened('{"to":"+1","x":' + "[" * 400 + "]" * 400 + "}\n")
    source.select(())
    for row in source.rows():
        assert "nested" in (source.original(row)[0] or "")


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', '{"to":"\\ud800"}'])
def test_a_line_that_is_no_object_is_one_bad_row(line: str) -> None:
    source = opened('{"to":"+1"}\n' + line + '\n{"to":"+2"}\n')
    places = source.select(())
    found = []
    for row in source.rows():
        found.append(row[0] if len(row) == len(places) else (source.why(row), list(source.original(row))))
    assert found == ["+1", ("not a JSON object", [line]), "+2"]


@pytest.mark.parametrize("value", ["1.50", "true", "[]", "{}"])
def test_a_value_whose_spelling_is_not_known_is_one_bad_row(value: str) -> None:
    source = opened('{"to":"+1","sum":' + value + "}\n")
    source.select(("sum",))
    [row] = source.rows()
    assert "sum" in source.why(row)
    assert "quotes" in source.why(row)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b" \n \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x1c", "no column `to`"),
        (b"name,phone\nAnn,+1\n", "no column `to`"),
        (b"to,name,name\n+1,a,b\n", "'name'"),
        (b'to,name\n+1,"Ann\n+2,Ben\n', "quote"),
        (b'to,name\n+1,"Ann"a\n', "quote"),
        (b'[{"to":"+1"}]', "JSON array"),
        (b'{"phone":"+1"}\n', "`to`"),
        (b"to,name\n+1,A\0\n", "NUL"),
        (b"t\0o\0,\0", "NUL"),
        (b"\xff\xfet\0o\0", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_as_a_whole(content: bytes, says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        rows(content)


def test_bytes_that_are_not_utf8_are_named_by_place_and_line() -> None:
    good = b"\xef\xbb\xbfto,name\n" + b"+1,Ann\n" * (BLOCK // 5)
    with pytest.raises(UnusableInput, match=rf"byte {len(good) + 4:,}, line {good.count(10) + 1}$"):
        rows(good + b"+2,J\xf6rg\n")


@pytest.mark.parametrize("head", [b'to,name\n+1,"', b"to,name\n+1,", b'{"to":"'])
def test_a_cell_of_ten_megabytes_is_refused_before_it_is_held(head: bytes) -> None:
    class Endless(BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size) or b"x" * BLOCK
            self.given += len(found)
            assert self.given < MAX_LINE + 3 * BLOCK
            return found

    with pytest.raises(UnusableInput, match="line"):
        list(open_source(Endless(head), "list.csv").rows())


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest() -> None:
    with pytest.raises(UnusableInput, match="quote"):
        rows('to,name\n+1,"Ann\n' + "+2,Ben\n" * 100_000)


def test_a_template_with_an_unknown_column_is_refused_before_any_row() -> None:
    with pytest.raises(UnusableInput, match=r"\{nmae\}.*to, name"):
        opened("to,name\n+1,Ann\n").select(("nmae",))
    with pytest.raises(UnusableInput, match=r"\{nmae\}"):
        opened('{"to":"+1","name":"Ann"}\n').select(("nmae",))


def test_the_name_decides_where_the_content_does_not() -> None:
    assert isinstance(opened('{"to":1}', "list.csv"), ObjectSource)
    assert isinstance(opened("to\n1", "list.txt"), CsvSource)
    with pytest.raises(UnusableInput, match="object with a `to`"):
        opened("to\n1", "list.jsonl")


def test_dicts_of_a_program_are_rows_too() -> None:
    source = ObjectSource([{"to": "+1", "name": "Ann"}])
    assert source.select(("name",)) == ("to", "reference", "name")
    assert list(source.rows()) == [["+1", None, "Ann"]]


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"to,name\n", b"\xef\xbb\xbfto\n", b'{"to":"1"}\n', b'to,name\r+1,"']),
)
def test_whatever_the_bytes_are_they_are_rows_or_refused(content: bytes, head: bytes) -> None:
    with contextlib.suppress(UnusableInput):
        source = opened(head + content)
        source.select(())
        for row in source.rows():
            assert all(cell is None or isinstance(cell, str) for cell in row)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"to": "+1', "line 2 is not JSON: "),
        ('"+1"', "line 2 is JSON and no object: "),
        ('{"too": "+1"}', "none of the first 2 rows is an object"),
    ],
)
def test_lines_that_are_no_objects_are_told_by_what_they_are_and_never_by_what_stands_in_them(
    line: str, says: str
) -> None:
    with pytest.raises(UnusableInput, match=says) as told:
        opened(f"\n{line}\n", "list.jsonl")
    assert "+1" not in str(told.value)
