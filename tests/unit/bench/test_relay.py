"""The count of Redis commands: exact, wherever the network cuts the bytes."""

import pytest

from bench.relay import CommandCount

GET = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
SET_WITH_LINES = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n"
EMPTY = b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_each_command_counts_once_however_its_bytes_are_cut(step: int) -> None:
    count = CommandCount()
    stream = GET + SET_WITH_LINES + EMPTY + GET
    for at in range(0, len(stream), step):
        count.feed(stream[at : at + step])
    assert count.commands == 4


def test_a_value_that_looks_like_a_command_is_not_one() -> None:
    count = CommandCount()
    count.feed(SET_WITH_LINES)
    assert count.commands == 1


def test_a_pipeline_counts_all_its_commands() -> None:
    count = CommandCount()
    count.feed(GET * 100)
    assert count.commands == 100
