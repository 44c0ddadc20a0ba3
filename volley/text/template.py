"""Templates: a text with holes, `{name}` or `{name|default}`; `{{` and `}}` are braces. Nothing else means anything.

The grammar is our own and tiny on purpose: customers' texts must not reach `str.format`, whose `{a.b[c]}` walks objects.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from volley.errors import RowError, UnusableInput

_NAME = r"[A-Za-z_][A-Za-z0-9_ .-]*"
_PIECE = re.compile(
    rf"(?P<brace>\{{\{{|\}}\}})|\{{(?P<name>{_NAME})(?:\|(?P<default>[^{{}}]*))?\}}|(?P<plain>[^{{}}]+)"
)

Row = Sequence[str | None]
Render = Callable[[Row], str]


class MissingVariable(RowError):
    """The row has no value, or only spaces, for a hole without a default."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no value for {{{name}}}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Hole:
    name: str
    default: str | None = None

    def fill(self, value: str | None) -> str:
        if value and not value.isspace():
            return value
        if self.default is None:
            raise MissingVariable(self.name)
        return self.default


@dataclass(frozen=True, slots=True)
class Template:
    """Texts around holes: `texts` is always one longer than `holes`."""

    texts: tuple[str, ...]
    holes: tuple[Hole, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, each once, in the order of their first holes."""
        return tuple(dict.fromkeys(hole.name for hole in self.holes))

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text of one message.

        Raises:
            MissingVariable: a hole has neither value nor default.
        """
        filled = [hole.fill(values.get(hole.name)) for hole in self.holes]
        return "".join(_woven(self.texts, filled))

    def bind(self, columns: Sequence[str]) -> Render:
        """A renderer of rows whose values stand in the order of `columns`. It raises MissingVariable as `render` does.

        Raises:
            UnusableInput: a hole names no column.
        """
        for name in self.names:
            if name not in columns:
                known = ", ".join(columns) or "none"
                raise UnusableInput(f"the template names {{{name}}}, which is no column; there are: {known}")
        if not self.holes:
            return lambda _row: self.texts[0]
        return _renderer(self.texts, self.holes, _picker([columns.index(hole.name) for hole in self.holes]))


def compile_template(text: str) -> Template:
    """Reads a template.

    Raises:
        UnusableInput: an empty text, a brace that belongs to nothing, or half a surrogate pair; says at which character.
    """
    if not text:
        raise UnusableInput("the text is empty, and the carrier takes no empty text")
    _check_encodable(text)
    texts, holes, position = [""], [], 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise UnusableInput(_lone_brace(text, position))
        position = piece.end()
        if piece["name"] is None:
            texts[-1] += piece[0][0] if piece["brace"] else piece[0]
        else:
            holes.append(Hole(piece["name"], piece["default"]))
            texts.append("")
    return Template(tuple(texts), tuple(holes))


def renderer(template: str, columns: Sequence[str]) -> Render:
    """The renderer of a stored template, which may be empty where media is all there is of a message."""
    return compile_template(template).bind(columns) if template else _nothing


def _nothing(_row: Row) -> str:
    return ""


def literal(text: str) -> str:
    """The template that renders to exactly this text."""
    return text.replace("{", "{{").replace("}", "}}")


def _check_encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableInput(
            f"the text is broken at character {error.start + 1}: not UTF-8, or half a surrogate pair"
        ) from None


def _lone_brace(text: str, position: int) -> str:
    where = f"the template has a lone {text[position]} at character {position + 1}"
    return f"{where} (near {text[position : position + 20]!r}): write {{name}}, {{name|default}}, or {{{{ and }}}} for braces"


def _woven(texts: Sequence[str], filled: Sequence[str]) -> list[str]:
    whole = [""] * (len(texts) + len(filled))
    whole[::2], whole[1::2] = texts, filled
    return whole


def _picker(places: list[int]) -> Callable[[Row], tuple[str | None, ...]]:
    if len(places) == 1:
        only = places[0]
        return lambda row: (row[only],)
    return itemgetter(*places)


def _renderer(texts: tuple[str, ...], holes: tuple[Hole, ...], pick: Callable[[Row], tuple[str | None, ...]]) -> Render:
    frame = _woven(texts, [""] * len(holes))

    def render(row: Row) -> str:
        whole = frame.copy()
        whole[1::2] = [
            # The common case is spelled out, because a call for each hole is half of the time of a row.
            value if value and not value.isspace() else hole.fill(value)
            for value, hole in zip(pick(row), holes, strict=True)
        ]
        return "".join(whole)

    return render
