"""The page in a real Chromium, before a serve, a worker, a sandbox and a Valkey that are as real. Started once a module."""

import asyncio
import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from producer.access.keys import Scope
from tests.flow.api.conftest import Office
from tests.flow.cli.conftest import PATIENCE_S, make_world, wait_until
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import API_KEY, PROFILE_ID, SandboxConfig, dump
from volley.sandbox.signing import Signer

collect_ignore = [] if "SCREENSHOTS" in os.environ else ["test_pictures.py"]
"""Pictures for the docs: make screenshots asks for them."""

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--lang=en-GB",
)  # fmt: skip
RATES = 'sticky = "always"\n[rates]\naccount = 500\nlong_code = 1\ntoll_free = 1\n'
"""Slow: a campaign of hundreds is still going when it is looked at. A module may have others, another CARRIER, and be STILL:
nobody sends."""
CARRIER = SandboxConfig(pool=(("long_code", 4, 0.0), ("toll_free", 2, 0.0)))


@pytest.fixture(scope="session", autouse=True)
def _here() -> None:
    """Debian's chromium and chromium-driver; CI installs them, so there they must be."""
    missing = [path for path in (CHROMIUM, DRIVER) if not shutil.which(path)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{', '.join(missing)} not here: apt-get install chromium chromium-driver")
    assert not missing, f"{missing} must be here in CI"


@dataclass
class Shop(Office):
    """All that runs, and words for it. `key` may all of it; `carrier` is the sandbox."""

    carrier: str = ""

    def a_key(self, *scopes: Scope, name: str = "a person") -> str:
        return self.make_key(*scopes, name=name)[1]

    def push(self, people: int, start: int, *, text: str = "Hello", **options: object) -> str:
        rows = [{"to": f"+1415{5550000 + start + n}"} for n in range(people)]
        body = {"profile": PROFILE_ID, "text": text, "recipients": rows, **options}
        pushed = self.post("/v1/campaigns", body, headers={"Idempotency-Key": f"{start}"})
        assert pushed.status == 202, pushed.body
        return str(pushed.json["campaign_id"])

    def campaign(self, campaign: str) -> dict[str, object]:
        """As the API has it."""
        found: dict[str, object] = self.get(f"/v1/campaigns/{campaign}").json
        return found

    def counts(self, campaign: str) -> dict[str, int]:
        """By status; those that are 0 left out."""
        held: dict[str, int] = self.campaign(campaign)["counts"]  # type: ignore[assignment]
        return {status: count for status, count in held.items() if count}

    def state(self, campaign: str) -> str:
        return str(self.campaign(campaign)["state"])

    def act(self, verb: str, campaign: str) -> None:
        done = self.post(f"/v1/campaigns/{campaign}:{verb}", {} if verb == "retry" else None)
        assert done.status == 200, done.body

    def actions(self, what: str, campaign: str) -> list[str]:
        """Who did it, as the audit log has it."""
        found = json.loads(self.world.run("actions", "--json").stdout)["actions"]
        return [each["who"] for each in found if each["what"] == what and each["campaign_id"] == campaign]

    def fault(self, *rules: dict[str, object]) -> None:
        """What the carrier does to sends from now on; none: it does them all."""
        url = f"{self.carrier.removesuffix('/v2')}/_sandbox/faults"
        request = urllib.request.Request(url, json.dumps(rules).encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    with sandbox_process("--config", dump(getattr(request.module, "CARRIER", CARRIER))) as carrier:
        own = {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": carrier, "TELNYX_PUBLIC_KEY": Signer(1).public_key}
        world = make_world(
            tmp_path_factory.mktemp("shop"), VOLLEY_REDIS_URL=valkey.url, VOLLEY_SECRET="a secret of this shop", **own
        )
        (world.folder / "home" / "volley.toml").write_text(getattr(request.module, "RATES", RATES))
        try:
            world.start("serve")
            made = Shop(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"], carrier=carrier)
            wait_until(made.up)
            assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
            if not getattr(request.module, "STILL", False):
                world.start("worker")
                wait_until(world.workers)
            made.key = made.a_key("send", "read", "ops")
            yield made
        finally:
            world.end()
            asyncio.run(valkey.stop())


class Browser:
    """A Chromium, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, key: str = "") -> None:
        """A new visit, with a key typed in where one is given."""
        self.driver.get(self.url)
        self.driver.execute_script("sessionStorage.clear(); location.hash = ''")
        self.driver.get(self.url)
        if key:
            self.one("#key").send_keys(key)
            self.press("#ask button")
            self.sees("#live", "live")
            wait_until(lambda: self.all("#tiles .tile"))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def press(self, css: str) -> None:
        """The first of these, once it is there; the page may draw it anew at any moment."""
        self.comes(lambda: [each for each in self.all(css)[:1] if each.click() is None], f"{css} can be pressed")

    def text(self, css: str) -> str:
        """As it is shown: nothing where it is hidden or not there."""
        try:
            return " ".join(each.text for each in self.all(css))
        except StaleElementReferenceException:
            return ""

    def sees(self, css: str, words: str) -> None:
        self.comes(lambda: words in self.text(css), f"{css} says {words!r}, it said {self.text(css)[:300]!r}")

    def comes(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                if true():
                    return
            except StaleElementReferenceException:
                pass
            assert time.monotonic() < end, f"not within {PATIENCE_S:g} s: {what}"
            time.sleep(0.1)

    def act(self, campaign: str, verb: str) -> None:
        """The button, the question, and yes."""
        self.comes(lambda: self.all(f'[data-id="{campaign}"] [data-verb={verb}]'), f"a button for {verb}")
        self.press(f'[data-id="{campaign}"] [data-verb={verb}]')
        assert self.one("#sure").get_attribute("open") is not None
        self.press("#sure-yes")
        self.comes(lambda: self.one("#sure").get_attribute("open") is None, "the question is answered")

    def size(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def light(self, scheme: str) -> None:
        # what scrolls smoothly is not yet where it is clicked
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def script(self, words: str, *given: object) -> Any:
        return self.driver.execute_script(words, *given)

    def complaints(self) -> list[str]:
        """What the console says of errors, a policy that was broken among them; requests that failed are as they should be."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [each["message"] for each in entries if each["level"] == "SEVERE" and each["source"] != "network"]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(PATIENCE_S)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome, shop: Shop) -> Iterator[Browser]:
    """As at a desk, in the light; nothing may be amiss in its console at the end."""
    found = Browser(chromium, shop.url)
    found.size(1280)
    found.light("light")
    found.complaints()
    yield found
    assert not found.complaints()
