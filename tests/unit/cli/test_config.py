"""`volley config` shows where each value comes from, never a secret, and names all that is wrong."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from volley import __version__

Volley = Callable[..., subprocess.CompletedProcess[str]]


def test_no_secret_is_shown(volley: Volley, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "secret").write_text("hush-1-hush-1-hush\n")
    (folder / "volley.toml").write_text(
        '[accounts.other]\napi_key = "hush-2"\nredis_url = "redis://u:hush-3@far:6379/0"\n'
    )
    (tmp_path / ".env").write_text("TELNYX_API_KEY=hush-4\n")
    for words in (("config", "show"), ("config", "show", "--json"), ("config", "check"), ("config", "check", "--json")):
        done = volley(*words, VOLLEY_LEDGER_URL="postgresql+asyncpg://me:hush-5@db/volley")
        assert done.returncode == 0
        assert "hush" not in done.stdout + done.stderr


def test_each_value_says_where_it_comes_from(volley: Volley, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    (folder / "secrets").mkdir(parents=True)
    (folder / "volley.toml").write_text("max_attempts = 7\nconcurrency = 3\nserve_port = 1\n")
    (folder / "secrets" / "telnyx_api_key").write_text("KEY")
    (tmp_path / ".env").write_text("VOLLEY_CONCURRENCY=4\nVOLLEY_SERVE_PORT=2\n")
    shown = json.loads(volley("config", "show", "--json", VOLLEY_SERVE_PORT="3").stdout)["settings"]
    assert shown["max_attempts"] == {"value": 7, "source": str(folder / "volley.toml")}
    assert shown["concurrency"] == {"value": 4, "source": ".env"}
    assert shown["serve_port"] == {"value": 3, "source": "environment"}
    assert shown["telnyx_api_key"] == {"value": "***", "source": str(folder / "secrets")}
    assert shown["pin_days"] == {"value": 8, "source": "default"}


def test_check_names_every_problem_at_once(volley: Volley) -> None:
    done = volley("config", "check", "--json", VOLLEY_CONCURRENCY="0", VOLLEY_PARTS_RULE="guess", VOLLEY_TYPO="1")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert not found["ok"]
    assert {problem.split(":")[0] for problem in found["problems"]} == {
        "concurrency",
        "parts_rule",
        "unknown setting typo; volley config show lists them",
    }


def test_a_public_address_is_one_and_loses_the_slash_at_its_end(volley: Volley) -> None:
    shown = volley("config", "show", "--json", VOLLEY_PUBLIC_URL="https://sms.example.com/volley/").stdout
    assert json.loads(shown)["settings"]["public_url"]["value"] == "https://sms.example.com/volley"
    for wrong in ("sms.example.com", "ftp://sms.example.com", "https://", "https://sms.example.com/?a=b"):
        done = volley("config", "check", "--json", VOLLEY_PUBLIC_URL=wrong)
        assert [problem.split(":")[0] for problem in json.loads(done.stdout)["problems"]] == ["public_url"]


def test_check_looks_at_what_no_type_says(volley: Volley) -> None:
    wrong = {
        "TELNYX_PUBLIC_KEY": "AAAA",
        "VOLLEY_SECRET": "hush-6",
        "TELNYX_API_KEY": "hush 7",
        "TELNYX_BASE_URL": "ftp://x",
        "VOLLEY_REDIS_URL": "localhost:6379",
        "VOLLEY_PRICES": "no.csv",
        "VOLLEY_LEDGER_URL": "oracle+hush://far/db",
    }
    done = volley("config", "check", "--json", **wrong)
    assert done.returncode == 2
    assert len(json.loads(done.stdout)["problems"]) == len(wrong)
    assert "hush" not in done.stdout


def test_usable_settings_exit_0_and_what_is_missing_is_a_note(volley: Volley) -> None:
    done = volley("config", "check")
    assert done.returncode == 0
    assert "note:  TELNYX_API_KEY is not set" in done.stdout
    assert done.stdout.endswith("settings are usable\n")


def test_an_unknown_setting_is_named_and_the_hint_shows_the_known_ones(volley: Volley) -> None:
    done = volley("parts", VOLLEY_CONCURENCY="5")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "volley: unknown setting concurency; volley config show lists them\n"
    shown = volley("config", "show", VOLLEY_CONCURENCY="5")
    assert shown.returncode == 0
    assert "\nconcurrency " in shown.stdout


def test_the_version_is_told(volley: Volley) -> None:
    done = volley("--version")
    assert (done.returncode, done.stdout) == (0, f"volley {__version__}\n")


def test_unusable_settings_are_one_line_for_every_command(volley: Volley) -> None:
    done = volley("parts", VOLLEY_ACCOUNTS="x")
    assert done.returncode == 2
    assert done.stderr.startswith("volley: setting accounts: ")
    assert done.stderr.count("\n") == 1
