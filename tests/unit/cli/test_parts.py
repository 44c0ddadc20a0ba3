"""`volley parts` as other programs use it: a process with JSON lines in and out."""

import json
import subprocess
import sys
from collections.abc import Callable

Volley = Callable[..., subprocess.CompletedProcess[str]]


def lines(*texts: object) -> str:
    return "".join(json.dumps(text) + "\n" for text in texts)


def test_each_line_is_answered_in_order(volley: Volley) -> None:
    done = volley("parts", stdin=lines({"text": "Hello"}, {"text": "ç"}, {"text": "€" * 81}, {"text": ""}))
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"encoding": "GSM-7", "units": 5, "parts": 1, "text": "Hello"},
        {"encoding": "UCS-2", "units": 1, "parts": 1, "text": "ç"},
        {"encoding": "GSM-7", "units": 162, "parts": 2, "text": "€" * 81},
        {"encoding": "GSM-7", "units": 0, "parts": 0, "text": ""},
    ]


def test_the_text_in_the_answer_is_the_one_that_would_be_sent(volley: Volley) -> None:
    asked = lines(
        {"text": "“Hi” …"},
        {"text": "“Hi” …", "smart_encoding": True},
        {"text": "“Hi” …", "encoding": "gsm7"},
        {"text": "“Hi” …", "encoding": "ucs2", "smart_encoding": True},
    )
    answers = [json.loads(line) for line in volley("parts", stdin=asked).stdout.splitlines()]
    assert [(answer["encoding"], answer["text"]) for answer in answers] == [
        ("UCS-2", "“Hi” …"),
        ("GSM-7", '"Hi" ...'),
        ("GSM-7", '"Hi" ...'),
        ("UCS-2", "“Hi” …"),
    ]


def test_a_bad_line_ends_it_with_its_number_and_what_stood_above_is_answered(volley: Volley) -> None:
    for bad, reason in (
        ("{", "line 3"),
        ("[]", "not an object"),
        ('{"text": 1}', '"text"'),
        ('{"text": "a", "encoding": "latin1"}', '"encoding"'),
        ('{"text": "a", "smart_encoding": "yes"}', '"smart_encoding"'),
        ('{"text": "\\ud800"}', "line 3"),
        ('{"text": "😀", "encoding": "gsm7"}', "U+1F600"),
    ):
        done = volley("parts", stdin='{"text": "a"}\n\n' + bad + '\n{"text": "b"}\n')
        assert done.returncode == 2
        assert done.stdout.count("\n") == 1
        assert done.stderr.startswith("volley: line 3: ")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_last_line_without_its_end_is_a_line(volley: Volley) -> None:
    assert json.loads(volley("parts", stdin='{"text": "a"}').stdout)["units"] == 1


def test_the_settings_decide_how_parts_are_counted(volley: Volley) -> None:
    text = "x" * 152 + "€" + "x" * 152  # the pair straddles the end of the first part
    packed, ceil = (
        json.loads(volley("parts", stdin=lines({"text": text}), VOLLEY_PARTS_RULE=rule).stdout)["parts"]
        for rule in ("packed", "ceil")
    )
    assert (packed, ceil) == (3, 2)


def test_an_answer_comes_before_more_is_asked() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "volley", "parts"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin
        assert process.stdout
        for text in ("one", "three"):
            process.stdin.write(lines({"text": text}))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_reader_that_leaves_early_ends_it_without_a_word() -> None:
    script = f"yes '{json.dumps({'text': 'a'})}' | head -200000 | {sys.executable} -m volley parts | head -1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["parts"] == 1
    assert done.stderr == ""
