"""One settings model for every process: environment, `.env`, secrets folder, `volley.toml`. Unknown keys are refused.

Precedence: environment variables, then `.env` in the working folder, then a file a setting in `CREDENTIALS_DIRECTORY` (systemd's
LoadCredential, or a mounted secret), then the same in `VOLLEY_HOME/secrets`, then `VOLLEY_HOME/volley.toml`, then defaults.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from volley.errors import UnusableInput
from volley.hours import parse
from volley.rates import Rates
from volley.sender import SenderType
from volley.trial import Place, refuse_what_is_live, running_sandbox

DRAIN_SECONDS = 30.0
DRAIN_SLACK_S = 10.0
"""What a process that ends needs beside its longest POST: to settle, to end its jobs, to tell the others."""


class Account(BaseModel):
    """One carrier account: its key, its Redis, its rates."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = None
    base_url: str = "https://api.telnyx.com/v2"
    public_key: str | None = None
    redis_url: str | None = None
    ledger_url: str | None = None
    rates: Rates = Field(default_factory=Rates)


def _public(url: str) -> str:
    """An address that paths are put behind. A slash at its end would make every receipt a 404."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not an address that the carrier can reach, as in https://sms.example.com")
    return url.rstrip("/")


def _hours(given: str) -> str:
    """'' for none."""
    try:
        if given:
            parse(given)
    except UnusableInput as error:
        raise ValueError(str(error)) from None
    return given


class Settings(BaseModel):
    """All that a process needs to know. Durations are seconds."""

    model_config = ConfigDict(extra="forbid")

    home: Path = Path(".volley")
    account: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    accounts: dict[str, Account] = Field(default_factory=dict)
    rates: Rates = Field(default_factory=Rates)
    redis_url: str | None = None
    arq_redis_url: str | None = None
    ledger_url: str | None = None
    public_url: Annotated[str, AfterValidator(_public)] | None = None
    public_failover_url: Annotated[str, AfterValidator(_public)] | None = None
    secret: SecretStr | None = None
    durability: Literal["strict", "relaxed"] = "strict"
    replicas: int = Field(default=0, ge=0, le=10)
    serve_host: str = "127.0.0.1"
    serve_port: int = 8080
    concurrency: int = Field(default=500, ge=1, le=5000)
    http_timeout: float = Field(default=10.0, gt=0, le=60)
    drain_seconds: float = Field(default=DRAIN_SECONDS, le=600, validate_default=True)
    drains: int = Field(default=0, ge=0, le=64)
    max_attempts: int = Field(default=5, ge=1, le=50)
    expire_hours: float = Field(default=72, gt=0)
    quiet_hours: Annotated[str, AfterValidator(_hours)] = ""
    pin_days: int = Field(default=8, ge=1, le=365)
    retention_days: int = Field(default=30, ge=1)
    ledger_bound: int = Field(default=200_000, ge=100)
    memory_high_water: float = Field(default=0.85, ge=0.5, le=0.99)
    parts_rule: Literal["packed", "ceil"] = "packed"
    gsm_set: Literal["3gpp", "telnyx"] = "3gpp"
    prices: Path | None = None
    sticky: Literal["profile", "always", "never"] = "profile"
    unhealthy_pins: Literal["move", "keep"] = "move"
    endpoints: Literal["general", "typed"] = "general"
    routes: dict[str, tuple[SenderType, ...]] = Field(default_factory=dict)
    alphanumeric_refused: tuple[str, ...] = ("US", "CA", "PR")
    unconfirmed_hours: float = Field(default=72, gt=0)
    unknown_hours: float = Field(default=24, gt=0)
    inbound_bound: int = Field(default=100_000, ge=100)
    api_rate: float = Field(default=100, ge=0.001)
    event_days: int = Field(default=7, ge=1, le=365)
    test_account: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,32}$")
    api_pushes: int = Field(default=4, ge=1, le=32)
    api_rows: int = Field(default=2_000_000, ge=1)
    api_bytes: int = Field(default=1 << 30, ge=1 << 10)
    callbacks_local: bool = False
    log_format: Literal["json", "text"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    telnyx_api_key: SecretStr | None = None
    telnyx_base_url: str | None = None
    telnyx_public_key: str | None = None

    @field_validator("drain_seconds")
    @classmethod
    def _outlasts_a_post(cls, value: float, info: ValidationInfo) -> float:
        least = info.data.get("http_timeout", 0.0) + DRAIN_SLACK_S
        if value < least:
            raise ValueError(
                f"must be {least:g} at least: http_timeout, and {DRAIN_SLACK_S:g} s to settle; every stop timeout of a"
                " supervisor (deploy/) must be longer than it"
            )
        return value

    @property
    def current(self) -> Account:
        """The account in use, with the plain variables (TELNYX_*, VOLLEY_REDIS_URL, [rates]) filled in where it is silent.

        Raises:
            UnusableInput: there is no such account; or it is that of test keys, and what it sends could cost money.
        """
        if self.account == self.test_account:
            return self._of_tests()
        own = self.accounts.get(self.account)
        if own is None and self.account != "default":
            raise UnusableInput(
                f"no account {self.account!r}: add [accounts.{self.account}] to volley.toml or set VOLLEY_ACCOUNT"
            )
        base = own or Account()
        given = base.model_fields_set
        return Account(
            api_key=base.api_key or self.telnyx_api_key,
            base_url=base.base_url if "base_url" in given else self.telnyx_base_url or base.base_url,
            public_key=base.public_key or self.telnyx_public_key,
            **self._shared(base),
        )

    def _shared(self, base: Account) -> dict[str, Any]:
        return {
            "redis_url": base.redis_url or self.redis_url or _running_redis(self.home),
            "rates": base.rates if "rates" in base.model_fields_set else self.rates,
        }

    @property
    def queue_url(self) -> str:
        """Where the jobs of arq are queued: with the data, unless told otherwise. UnusableInput where they cannot be."""
        url = self.arq_redis_url or self.current.redis_url or ""
        if url.startswith("redis+cluster://"):
            raise UnusableInput(
                "arq, which carries the jobs, knows no Cluster: set VOLLEY_ARQ_REDIS_URL to a server beside it (redis://host:port/0)"
            )
        return url

    @property
    def ledger(self) -> str:
        """SQLAlchemy URL of the ledger; SQLite in the data folder unless told otherwise. Test messages never stand in the live one."""
        own = self.accounts.get(self.account)
        if own is not None and own.ledger_url:
            return own.ledger_url
        if self.account == self.test_account:
            return f"sqlite+aiosqlite:///{self.home.absolute()}/ledger-{self.account}.db"
        return self.ledger_url or f"sqlite+aiosqlite:///{self.home.absolute()}/ledger.db"

    def of_tests(self) -> Self:
        """The same for the account of test keys. Raises UnusableInput where what it sends could cost money."""
        if self.test_account in (None, self.account):
            raise UnusableInput(f"VOLLEY_TEST_ACCOUNT: {self.test_account} is the live account: name another one")
        mine = self.model_copy(update={"account": self.test_account})
        _ = mine.current
        return mine

    def _of_tests(self) -> Account:
        """It sends to a sandbox, its own or that of a running `volley up`. No live key and no live address is filled in."""
        name, base = self.account, self.accounts.get(self.account) or Account()
        if "base_url" not in base.model_fields_set:
            base = base.model_copy(update=running_sandbox(name, self.home)._asdict())
        lives = [self.model_copy(update={"account": each}) for each in {*self.accounts, "default"} - {name}]
        places = [Place(each.current.base_url, each.ledger) for each in lives]
        refuse_what_is_live(name, Place(base.base_url, self.ledger), places)
        return Account(api_key=base.api_key, base_url=base.base_url, public_key=base.public_key, **self._shared(base))


def redis_file(home: Path) -> Path:
    """Where a running `volley up` says which Valkey it started; the other commands on this machine find it there."""
    return home / "redis-url"


def _running_redis(home: Path) -> str | None:
    try:
        return redis_file(home).read_text("utf-8").strip() or None
    except OSError:
        return None


_TELNYX = ("TELNYX_API_KEY", "TELNYX_BASE_URL", "TELNYX_PUBLIC_KEY")


def load(env: dict[str, str] | None = None, cwd: Path | None = None, *, known_only: bool = False) -> Settings:
    """Settings from the environment and files; `known_only` passes over names that are no settings.

    Raises:
        UnusableInput: a file that cannot be read, an unknown key, a value out of range; says which and where.
    """
    values: dict[str, Any] = {}
    for _, found in layers(env, cwd):
        values |= {name: value for name, value in found.items() if not known_only or name in Settings.model_fields}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = problems(error)[0]
        known = not first.startswith(_UNKNOWN)
        raise UnusableInput(f"setting {first} (volley config check shows all)" if known else first) from None


_UNKNOWN = "unknown setting "


def problems(error: ValidationError) -> list[str]:
    """What is wrong, a line each, without the values."""
    found = []
    for each in error.errors(include_input=False, include_url=False):
        where = ".".join(str(step) for step in each["loc"]) or "settings"
        unknown = each["type"] == "extra_forbidden"
        found.append(f"{_UNKNOWN}{where}; volley config show lists them" if unknown else f"{where}: {each['msg']}")
    return found


def layers(env: dict[str, str] | None = None, cwd: Path | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The places that settings come from, the weakest first: (its name, its values by setting)."""
    dotenv = _dotenv((cwd or Path()) / ".env")
    environment = dict(os.environ) if env is None else env
    home = Path((dotenv | environment).get("VOLLEY_HOME") or Settings().home)
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    return [
        (str(home / "volley.toml"), _toml(home / "volley.toml")),
        (str(home / "secrets"), _secrets(home / "secrets")),
        *([(credentials, _secrets(Path(credentials)))] if credentials else []),
        (".env", _ours(dotenv)),
        ("environment", _ours(environment)),
    ]


def _ours(variables: dict[str, str]) -> dict[str, Any]:
    values = {name.lower(): value for name, value in variables.items() if name in _TELNYX and value}
    prefixed = ((name, value) for name, value in variables.items() if name.startswith("VOLLEY_") and value)
    return values | {name.removeprefix("VOLLEY_").lower(): value for name, value in prefixed}


def _secrets(folder: Path) -> dict[str, Any]:
    """A file a setting, as container platforms mount them; its name is the setting's. An empty one says nothing."""
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    try:
        found = {path.name.lower(): path.read_text("utf-8").strip() for path in files}
        return {name: value for name, value in found.items() if value}
    except (UnicodeDecodeError, OSError) as error:
        raise UnusableInput(f"{folder}: {error}") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UnusableInput(f"{path}: {error}") from None


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (
        line.split("=", 1)
        for line in path.read_text("utf-8").splitlines()
        if "=" in line and not line.lstrip().startswith("#")
    )
    return {name.strip().removeprefix("export "): value.strip().strip("'\"") for name, value in pairs}
