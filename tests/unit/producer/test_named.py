"""Senders are known by their shape, and a list with garbage in it is refused as a whole."""

from pathlib import Path

import pytest

from producer.pool.named import Named, named, read
from volley.errors import UnusableInput


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("+13125550101", "number"),
        (" +447700900123 ", "number"),
        ("12345", "short_code"),
        ("550", "short_code"),
        ("ACME", "alphanumeric"),
        ("Acme 24", "alphanumeric"),
        ("1a", "alphanumeric"),
        ("ELEVENCHARS", "alphanumeric"),
    ],
)
def test_a_sender_is_known_by_its_shape(word: str, shape: str) -> None:
    assert named(word) == Named(word.strip(), shape)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("13125550101", "write +13125550101"),
        ("(312) 555-0101", "is no sender"),
        ("+1312555010a", "is no sender"),
        ("+0123456789", "is no sender"),
        ("TWELVE CHARS", "1 to 11"),
        ("Äcme", "is no sender"),
        ("AC-ME", "is no sender"),
        ("12", "is no sender"),
        ("", "is no sender"),
        ("x" * 4000, "is no sender"),
    ],
)
def test_what_is_no_sender_says_how_one_is_written(word: str, says: str) -> None:
    with pytest.raises(UnusableInput) as caught:
        named(word)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_each_sender_of_words_and_file_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_bytes(b"\xef\xbb\xbf+13125550101\r\n\r\n  +13125550102\n12345\n+13125550101\n")
    found = read(["+13125550102", "ACME"], file)
    assert [each.name for each in found.senders] == ["+13125550102", "ACME", "+13125550101", "12345"]
    assert found.repeated == 2
    assert found.of("number") == ["+13125550102", "+13125550101"]


def test_garbage_is_named_by_line_and_nothing_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text("+13125550101\n3125550102\nhello, world!\n")
    with pytest.raises(UnusableInput) as caught:
        read([], file)
    assert str(caught.value).startswith(
        "nothing was changed: line 2: '3125550102' has no plus: write +3125550102; line 3:"
    )


def test_a_long_list_of_garbage_is_told_in_short(tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text("?\n" * 5000)
    with pytest.raises(UnusableInput, match=r"and 4990 more") as caught:
        read([], file)
    assert len(str(caught.value)) < 3000


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    (tmp_path / "empty.txt").write_text("\n \n")
    for name, says in (("none.txt", "none.txt"), ("latin.txt", "not UTF-8"), ("empty.txt", "name a sender")):
        with pytest.raises(UnusableInput, match=says):
            read([], tmp_path / name)
    with pytest.raises(UnusableInput, match="--file"):
        read([])
