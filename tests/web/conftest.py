"""The page in a real Chromium, before a serve, a worker, a sandbox and a Valkey that are as real. Started once a module."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.flow.cli.conftest import PATIENCE_S, World, make_world, wait_until
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.signing import Signer

collect_ignore = [] if "SCREENSHOTS" in os.environ else ["test_pictures.py"]
"""Pictures for the docs: make screenshots asks for them."""

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--lang=en-GB",
)  # fmt: skip
RATES = 'sticky = "always"\n[rates]\naccount = 500\nlong_code = 1\ntoll_free = 1\n'
"""Slow: a campaign of hundreds is still going when it is looked at."""


@pytest.fixture(scope="session", autouse=True)
def _here() -> None:
    """Debian's chromium and chromium-driver; CI installs them, so there they must be."""
    missing = [path for path in (CHROMIUM, DRIVER) if not shutil.which(path)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{', '.join(missing)} not here: apt-get install chromium chromium-driver")
    assert not missing, f"{missing} must be here in CI"


@dataclass
class Shop:
    """All that runs, and words for it."""

    world: World
    valkey: EmbeddedValkey

    @property
    def url(self) -> str:
        return self.world.settings["VOLLEY_PUBLIC_URL"]

    def key(self, *scopes: str, name: str = "a person") -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        done = self.world.run("keys", "create", "--name", name, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self, people: int, start: int, *more: str, text: str = "Hello") -> str:
        rows = "to\n" + "".join(f"+1415555{start + n:04}\n" for n in range(people))
        pushed = self.world.json("send", "-", "--profile", PROFILE_ID, "--text", text, "--yes", *more, stdin=rows)
        return str(pushed["campaign_id"])

    def state(self, campaign: str) -> str:
        """As Redis has it."""
        return str(self.world.json("campaigns", "show", campaign)["state"])

    def actions(self, what: str, campaign: str) -> list[str]:
        """Who did it, as the audit log has it."""
        found = json.loads(self.world.run("actions", "--json").stdout)["actions"]
        return [each["who"] for each in found if each["what"] == what and each["campaign_id"] == campaign]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    with sandbox_process("--pool", "long_code=4@0", "--pool", "toll_free=2@0") as carrier:
        own = {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": carrier, "TELNYX_PUBLIC_KEY": Signer(1).public_key}
        world = make_world(
            tmp_path_factory.mktemp("shop"), VOLLEY_REDIS_URL=valkey.url, VOLLEY_SECRET="a secret of this shop", **own
        )
        (world.folder / "home" / "volley.toml").write_text(RATES)
        try:
            world.start("serve")
            wait_until(lambda: world.run("status").returncode == 0)
            world.start("worker")
            assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
            wait_until(world.workers)
            yield Shop(world, valkey)
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
            self.one("#ask button").click()
            self.sees("#live", "live")
            wait_until(lambda: self.all("#tiles .tile"))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

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
        self.one(f'[data-id="{campaign}"] [data-verb={verb}]').click()
        assert self.one("#sure").get_attribute("open") is not None
        self.one("#sure-yes").click()
        self.comes(lambda: self.one("#sure").get_attribute("open") is None, "the question is answered")

    def size(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def light(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def complaints(self) -> list[str]:
        """What the console says of errors, a policy that was broken among them; requests that failed are as they should be."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [each["message"] for each in entries if each["level"] == "SEVERE" and each["source"] != "network"]


@pytest.fixture(scope="module")
def chromium(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    options = Options()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(PATIENCE_S)
    yield Browser(driver, shop.url)
    driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """As at a desk, in the light; nothing may be amiss in its console at the end."""
    chromium.size(1280)
    chromium.light("light")
    chromium.complaints()
    yield chromium
    assert not chromium.complaints()
