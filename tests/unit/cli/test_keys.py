"""What `volley keys create` refuses before it makes anything."""

from typing import Any

import pytest

from producer.cli.keys import create
from volley.errors import UnusableInput


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": ["write"]},
        {"scope": []},
        {"name": ""},
        {"name": "two\nlines"},
        {"expires": "soon"},
        {"expires": "2030-01-31T18:00"},
        {"expires": "2020-01-31T18:00+01:00"},
        {"rate": "0"},
        {"rate": "fast"},
        {"rate": "NaN"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_what_to_do(
    odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("VOLLEY_HOME", str(tmp_path))
    with pytest.raises(UnusableInput):
        create(**({"name": "odd", "scope": ["send"]} | odd))
    assert list(tmp_path.iterdir()) == []
