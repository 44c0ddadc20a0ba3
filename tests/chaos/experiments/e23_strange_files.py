"""23: files that nobody meant: row errors or a clear refusal, never a crash, never a part of a file."""

import asyncio
import codecs
import contextlib
import csv
import gzip
import io
import json
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from producer.intake import PushRequest, push
from producer.push import sources
from producer.push.sources import open_source
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.errors import UnusableInput
from volley.sandbox.config import PROFILE_ID

UNUSABLE, PARTLY, NOBODY = 2, 3, 1
"""Exit codes: nothing of it can be used · some rows were refused · every row was."""
TEMPLATE = "Hi {name}, bye"


class Strange(NamedTuple):
    """A file. `rows`: how many it has, where its maker knows; `damaged`: it must be refused as a whole."""

    name: str
    data: bytes
    rows: int | None = None
    damaged: bool = False


# makers of files

_odd = st.sampled_from(
    [*" \0\ud83d\r\n\t\"',;\x1a\u2028\ufeff", "", "\r\n", "\u202eשלום", "مرحبا", "👩\u200d👩\u200d👧", "{name}"]
)
_numbers = st.integers(12_125_560_000, 12_125_569_999).map(lambda n: f"+{n}")
_phones = st.one_of(
    _numbers,
    _numbers.map(lambda number: number[2:]),
    st.sampled_from(
        ["٠١٢٣", "+1 (212) 555-0100", "+", "0", "9" * 40, "１２１２５５５０１００", "tel:+12125550100", "1e11"]
    ),
    st.text(max_size=20),
)
_cells = st.one_of(
    st.text(max_size=30), _odd, st.tuples(_odd, st.integers(1, 20_000)).map(lambda pair: pair[0] * pair[1])
)
_plain = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
_safe = st.one_of(st.text(_plain, max_size=30), st.text(_plain, min_size=1, max_size=3).map(lambda text: text * 3_000))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _tables(draw: st.DrawFn) -> Strange:
    """Well-formed CSV with known rows: some wrong, some ragged, any text in its cells, any line end, a BOM or none."""
    extra = draw(st.lists(st.sampled_from(["reference", "x", "naïve", "עמודה"]), unique=True, max_size=2))
    titles = draw(st.permutations(["to", "name", *extra]))
    rows = draw(st.lists(st.tuples(_phones, st.lists(_safe, min_size=len(titles), max_size=len(titles))), max_size=40))
    buffer = io.StringIO()
    delimiter, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    # left to itself the writer does not quote a line end that is not its own
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(titles)
    for phone, cells in rows:
        person = "".join(each for each in phone if each != "\0" and not 0xD800 <= ord(each) < 0xE000).strip() or "x"
        ragged = draw(st.sampled_from([0, 0, 0, 0, -1, 1]))
        cells = [person if title == "to" else cell for title, cell in zip(titles, cells, strict=True)]
        writer.writerow([*cells, "more"] if ragged > 0 else ["x", *cells[2:]] if ragged else cells)
    mark = draw(st.sampled_from([b"", codecs.BOM_UTF8]))
    return Strange("people.csv", mark + _utf8(buffer.getvalue()), len(rows))


_values = st.recursive(
    st.one_of(_phones, st.integers(), st.floats(), st.booleans(), st.none(), _cells, st.integers(10**30, 10**40)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def _objects(draw: st.DrawFn) -> Strange:
    """JSON lines with odd types, lines that are no objects, and a first row that shows the columns."""
    rows = draw(st.lists(st.one_of(st.fixed_dictionaries({"to": _values, "name": _values}), _values), max_size=40))
    ascii_only = draw(st.booleans())
    lines = [json.dumps({"to": "+12125559000", "name": "Ann"})]
    lines += [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    data = _utf8("\n".join(lines))
    valid = not any(0xD800 <= ord(each) < 0xE000 for line in lines for each in line)
    return Strange("people.jsonl", data, len(lines) if valid else None, damaged=not valid)


@st.composite
def _damaged(draw: st.DrawFn) -> Strange:
    """A good file of some chunks with something behind its header that makes it none."""
    count = draw(st.integers(1, 1_200))
    lines = [b"to,name"] + [b"+%d,N" % (12_125_560_000 + n) for n in range(count)]
    wrong = draw(
        st.sampled_from(
            [b"+12125570000,\xff", b"+12125570000,\0", b"+12125570000,\xed\xa0\x80", b'+12125570000,"N', b"\x80"]
        )
    )
    lines.insert(draw(st.integers(1, len(lines))), wrong)
    return Strange("people.csv", b"\n".join(lines) + b"\n", damaged=True)


@st.composite
def _mangled(draw: st.DrawFn) -> Strange:
    """A good file that something happened to: bytes cut, doubled, flipped, another encoding, packed."""
    made = draw(st.one_of(_tables(), _objects()))
    data = bytearray(made.data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    name = draw(st.sampled_from(["people.csv", "people.jsonl", "people"]))
    how: Callable[[bytes], bytes] = draw(
        st.sampled_from([bytes, gzip.compress, _recoded("utf-16"), _recoded("latin-1"), _recoded("utf-32")])
    )
    return Strange(name, how(bytes(data)))


def _recoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode("utf-8", "replace").encode(encoding, "replace")


_headers = st.tuples(st.lists(_cells, max_size=5), st.lists(st.lists(_cells, max_size=5), max_size=5)).map(
    lambda pair: Strange("people.csv", _utf8("\n".join(",".join(row) for row in [pair[0], *pair[1]])))
)
_binary = st.binary(max_size=300).map(lambda data: Strange("people.csv", data))
_USELESS = (b"", codecs.BOM_UTF8, b"\0", b"\n\n", b"to,to\n1,2\n", b"a,b\n", b"[]", b"PK\3\4")
_fixed = st.sampled_from(
    [Strange("people.csv", data, damaged=True) for data in _USELESS]
    + [Strange("people.csv", b"to,name\n+12125559000," + b"x" * (2 << 20) + b"\n", damaged=True)]
    + [Strange("people.csv", b"to,name\n", 0), Strange("people.csv", b"to,name\r+12125559000,Ann\r", 1)]
)
FILES = st.one_of(_tables(), _objects(), _damaged(), _mangled(), _headers, _binary, _fixed)


# what must hold of each


class Found(NamedTuple):
    """What a push of a file came to. `exit` 0, 1, 2 or 3; the numbers are None where nothing was said."""

    exit: int
    accepted: int | None = None
    others: int | None = None


async def _by_call(play: Stage, strange: Strange) -> Found:
    """The intake as other programs call it."""
    request = PushRequest(PROFILE_ID, template=TEMPLATE, region="US")
    try:
        source = open_source(io.BytesIO(strange.data), strange.name)
        result = await push(play.outbox, play.settings(), request, source)
    except UnusableInput:
        return Found(UNUSABLE)
    code = (PARTLY if result.accepted else NOBODY) if result.rejected else 0
    return Found(code, result.accepted, result.rejected + result.duplicates + result.opted_out)


async def _by_command(play: Stage, strange: Strange) -> Found:
    """`volley send`, the real process."""
    file = play.folder / strange.name
    file.write_bytes(strange.data)
    words = ("send", str(file), "--yes", "--json", "--profile", PROFILE_ID, "--template", TEMPLATE, "--region", "US")
    command = play.start("fuzz", "volley", *words)
    await command.begin()
    code = await command.gone()
    text = command.log.read_bytes()
    assert b"Traceback" not in text, text[-500:]
    said = next((json.loads(line) for line in text.splitlines() if line.startswith(b"{")), None)
    if said is None:
        assert text.startswith(b"volley: "), text[:200]
        return Found(code)
    return Found(code, said["accepted"], said["rejected"] + said["duplicates"] + said["opted_out"])


async def _holds(play: Stage, strange: Strange, way: Callable[[Stage, Strange], Coroutine[Any, Any, Found]]) -> int:
    """AssertionError where the file was not treated as promised; else its exit code. Leaves Redis as it was."""
    before, entries = await _keys(play), await play.outbox.ledger_length()
    try:
        found = await way(play, strange)
        left = await _keys(play) - before
        states = [await play.redis.strlen(name) for name in left if b":states:" in name]
        entries -= await play.outbox.ledger_length()
    finally:
        new = await _keys(play) - before
        if new:
            await play.redis.delete(*new)
    _check(strange, found, sum(states), sorted(left)[:3] or entries)
    return found.exit


def _check(strange: Strange, found: Found, stored: int, left: object) -> None:
    """`stored`: messages in Redis; `left`: anything at all that a push left there."""
    assert found.exit in (0, NOBODY, UNUSABLE, PARTLY), f"exit code {found.exit}"
    assert not strange.damaged or found.exit == UNUSABLE, "a damaged file was taken"
    assert strange.rows is None or found.exit != UNUSABLE, "a good file was refused"
    if found.exit in (UNUSABLE, NOBODY):
        assert not left, f"left behind: {left}"
    if found.accepted is not None and found.others is not None:
        assert stored == found.accepted, f"{stored} in Redis, {found.accepted} accepted"
        told = found.accepted + found.others
        assert strange.rows in (None, told), f"{told} rows told of, the file has {strange.rows}"


async def _keys(play: Stage) -> set[bytes]:
    return {name for name in await play.redis.keys("volley:{default}:*") if not name.endswith(b"}:ledger")}


async def _fuzz(run: Run, play: Stage, name: str, way: Callable[..., Any], examples: int) -> None:
    """So many files; hypothesis makes the smallest of what goes wrong."""
    loop, seen, worst = asyncio.get_running_loop(), Counter[int](), list[str]()

    @seed(run.seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(FILES)
    def every(strange: Strange) -> None:
        seen[asyncio.run_coroutine_threadsafe(_holds(play, strange, way), loop).result()] += 1

    try:
        await asyncio.to_thread(every)
    except Exception as error:
        worst = traceback.format_exception_only(error)
    run.did(f"{sum(seen.values())} files {name}")
    run.expect(
        f"{name}: row errors, never a crash, never a part",
        not worst,
        " ".join(worst)[:600] or dict(sorted(seen.items())),
    )
    run.figures[f"exits {name}"] = dict(sorted(seen.items()))


async def _play(run: Run) -> None:
    async with stage(senders=2, rate=10, account_rate=10) as play:
        await _fuzz(run, play, "by call", _by_call, run.pick(400, 2_000))
        if not run.control:
            await _fuzz(run, play, "by command", _by_command, run.pick(15, 100))
        run.judged(await play.judge(open_allowed=True))


@contextlib.contextmanager
def _lenient() -> Iterator[None]:
    """What cannot be decoded is left out."""
    real = sources._decode
    sources._decode = lambda block, *_: block.decode("utf-8", "ignore").replace("\0", "")
    try:
        yield
    finally:
        sources._decode = real


async def _control(run: Run) -> None:
    with _lenient():
        await _play(run)


@experiment(
    23, "files that nobody meant (hypothesis)", control=_control, without="strict reading of files", reds=("by",)
)
async def strange_files(run: Run) -> None:
    await _play(run)
