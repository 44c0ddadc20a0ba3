"""One number for how long ending may take, and what settings say where it is too small."""

from pathlib import Path

import pytest

from volley.errors import UnusableInput
from volley.settings import DRAIN_SLACK_S, Settings, load


def test_a_drain_outlasts_a_post_and_its_settling() -> None:
    made = Settings()
    assert made.drain_seconds >= made.http_timeout + DRAIN_SLACK_S


@pytest.mark.parametrize("given", [{"VOLLEY_DRAIN_SECONDS": "15"}, {"VOLLEY_HTTP_TIMEOUT": "25"}])
def test_a_drain_that_would_cut_off_a_post_is_refused(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(UnusableInput, match=r"drain_seconds: .* at least: http_timeout"):
        load(given, tmp_path)


def test_both_may_be_raised_together(tmp_path: Path) -> None:
    made = load({"VOLLEY_HTTP_TIMEOUT": "50", "VOLLEY_DRAIN_SECONDS": "60"}, tmp_path)
    assert made.drain_seconds == 60


def test_credentials_of_a_service_manager_are_settings_and_beat_the_secrets_folder(tmp_path: Path) -> None:
    home, given = tmp_path / "home", tmp_path / "credentials"
    for folder in (home / "secrets", given):
        folder.mkdir(parents=True)
    (home / "secrets" / "telnyx_api_key").write_text("KEY-of-the-folder\n")
    (home / "secrets" / "secret").write_text("of-the-folder")
    (given / "telnyx_api_key").write_text("KEY-of-the-manager\n")
    (given / "subfolder").mkdir()
    env = {"VOLLEY_HOME": str(home), "CREDENTIALS_DIRECTORY": str(given)}
    made = load(env, tmp_path)
    assert made.telnyx_api_key is not None
    assert made.secret is not None
    assert made.telnyx_api_key.get_secret_value() == "KEY-of-the-manager"
    assert made.secret.get_secret_value() == "of-the-folder"
    assert load(env | {"TELNYX_API_KEY": "KEY-of-the-environment"}, tmp_path).telnyx_api_key != made.telnyx_api_key


def test_a_credential_that_is_no_setting_is_named_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "telnyx_apikey").write_text("KEY-very-secret")
    with pytest.raises(UnusableInput, match="unknown setting telnyx_apikey") as refused:
        load({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path)
    assert "very-secret" not in str(refused.value)
