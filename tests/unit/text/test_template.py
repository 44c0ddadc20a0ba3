import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.errors import RowError, UnusableInput
from volley.text.template import MissingVariable, compile_template, literal

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ .-]{0,8}", fullmatch=True)
DEFAULTS = st.none() | TEXTS.map(lambda text: text.replace("{", "").replace("}", ""))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {first_name}!", "Hi Ana!"),
        ("{first_name}", "Ana"),
        ("{first_name}{city}{first_name}", "AnaRenoAna"),
        ("Hi {nick|friend}", "Hi friend"),
        ("Hi {first_name|friend}", "Hi Ana"),
        ("Bye.{empty|} Done", "Bye. Done"),
        ("{nick|a b, c: d!}", "a b, c: d!"),
        ("{nick|a|b}", "a|b"),
        ("{Due Date}/{net.amount}/{x-y}/{_}", "1 May/5/z/u"),
        ("{{first_name}}", "{first_name}"),
        ("{{{first_name}}}", "{Ana}"),
        ("}}{{", "}{"),
        ("100 % of {city} %s %(city)s", "100 % of Reno %s %(city)s"),
        ("{first_name}\n{city}", "Ana\nReno"),
        ("no holes", "no holes"),
    ],
)
def test_a_template_renders_its_holes_and_nothing_else(template: str, text: str) -> None:
    row = {
        "first_name": "Ana",
        "city": "Reno",
        "nick": None,
        "empty": "",
        "Due Date": "1 May",
        "net.amount": "5",
        "x-y": "z",
        "_": "u",
    }
    compiled = compile_template(template)
    assert compiled.render(row) == text
    assert compiled.bind(tuple(row))(list(row.values())) == text


@pytest.mark.parametrize(
    ("template", "brace", "position"),
    [
        ("Hi {", "{", 4),
        ("Hi }", "}", 4),
        ("Hi {}", "{", 4),
        ("{ name}", "{", 1),
        ("{1st}", "{", 1),
        ("{a!r}", "{", 1),
        ("{a:>10}", "{", 1),
        ("{a[0]}", "{", 1),
        ("{prénom}", "{", 1),
        ("{a|b{c}}", "{", 1),
        ("{a}}", "}", 4),
        ("{{a}", "}", 4),
        ("{a|", "{", 1),
    ],
)
def test_a_brace_that_belongs_to_nothing_is_refused_with_its_place(template: str, brace: str, position: int) -> None:
    with pytest.raises(UnusableInput, match=f"lone {brace} at character {position} ".replace("{", r"\{")):
        compile_template(template)


@pytest.mark.parametrize("value", [None, "", " ", " \t\n", "\u00a0"])
def test_an_empty_hole_is_never_sent(value: str | None) -> None:
    template = compile_template("Hi {name}, {city}")
    bound = template.bind(("city", "name"))
    for render in (lambda: template.render({"city": "Reno", "name": value}), lambda: bound(["Reno", value])):
        with pytest.raises(MissingVariable, match=r"no value for \{name\}") as missing:
            render()
        assert missing.value.name == "name"
        assert isinstance(missing.value, RowError)


def test_a_default_stands_in_for_an_empty_value_and_no_other() -> None:
    render = compile_template("{a|x}{b|y}").bind(("a", "b"))
    assert render(["1", None]) == "1y"
    assert render([" ", "2"]) == "x2"
    assert render(["0", "-"]) == "0-"


def test_a_hole_that_names_no_column_is_refused_at_once_with_the_columns_there_are() -> None:
    with pytest.raises(UnusableInput, match=r"\{first\}, which is no column; there are: first_name, city"):
        compile_template("Hi {first|there}").bind(("first_name", "city"))
    with pytest.raises(UnusableInput, match="there are: none"):
        compile_template("Hi {first}").bind(())


def test_names_stand_once_each_in_the_order_of_their_holes() -> None:
    assert compile_template("{b} {a|x} {b|y} {{c}}").names == ("b", "a")
    assert compile_template("no holes").names == ()


@pytest.mark.parametrize(("text", "says"), [("", "empty"), ("Hi \ud83d", "character 4"), ("caf\udce9", "not UTF-8")])
def test_a_text_that_no_message_could_carry_is_refused_before_the_first_row(text: str, says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        compile_template(literal(text))


def test_a_value_that_looks_like_a_template_stays_as_it_is() -> None:
    assert compile_template("{a} {b}").bind(("a", "b"))(["{b}", "{{%s"]) == "{b} {{%s"


@given(TEXTS.filter(bool))
def test_a_literal_text_renders_to_itself(text: str) -> None:
    template = compile_template(literal(text))
    assert template.names == ()
    assert template.bind(())([]) == text


@given(st.lists(TEXTS | st.tuples(NAMES, DEFAULTS, st.none() | TEXTS), min_size=1, max_size=8))
def test_any_template_renders_to_its_texts_and_values_in_order(
    pieces: list[str | tuple[str, str | None, str | None]],
) -> None:
    source, expected, row = "", "", {}
    for at, piece in enumerate(pieces):
        if isinstance(piece, str):
            source, expected = source + literal(piece), expected + piece
            continue
        name, default, value = f"{piece[0]}{at}", piece[1], piece[2]
        blank = value is None or not value.strip()
        row[name] = "filled" if blank and default is None else value
        source += f"{{{name}}}" if default is None else f"{{{name}|{default}}}"
        expected += (default or "") if blank and default is not None else row[name] or ""
    if not source:
        return
    template = compile_template(source)
    assert template.render(row) == expected
    assert template.bind(tuple(row))(tuple(row.values())) == expected


@given(st.text("ab{}| ", min_size=1, max_size=12))
def test_no_text_breaks_the_grammar(text: str) -> None:
    try:
        template = compile_template(text)
    except UnusableInput:
        return
    assert len(template.texts) == len(template.holes) + 1
