"""The page where people first see it: at the address that `volley demo --keep` and `volley up` print."""

import signal
from pathlib import Path

from selenium import webdriver

from tests.flow.cli.conftest import PATIENCE_S, make_world, wait_until
from tests.flow.cli.test_demo import begun
from tests.web.conftest import Browser
from volley.sandbox.config import API_KEY


def test_the_demo_ends_with_an_address_and_a_key_that_open_its_dashboard(
    chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    demo = begun(tmp_path, "--rows", "20", "--keep")
    try:
        assert demo.stderr is not None
        said = iter(demo.stderr.readline, "")
        address = next(line for line in said if line.startswith("the dashboard: ")).split()[-1]
        key = next(line for line in said if line.startswith("the key that it asks for: ")).split()[-1]
        browser = Browser(chromium, address)
        browser.size(1280)
        browser.open(key)
        browser.comes(lambda: len(browser.all("[data-id]")) == 2, "both of its campaigns")
        browser.sees("#campaign-list", "100 %")
        browser.sees("#workers", "worker")
        browser.sees("#workers", "serve")
        assert not browser.complaints()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE_S) == 0
    finally:
        demo.kill()
        demo.communicate()


def test_up_prints_where_its_page_is_and_how_one_comes_in(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    world = make_world(tmp_path, TELNYX_API_KEY=API_KEY)
    try:
        world.start("up")
        wait_until(lambda: "its page asks for a key" in world.log("up"))
        wait_until(world.workers)
        wait_until(world.serves)
        lines = world.log("up").splitlines()
        address = next(word for line in lines if "up: " in line for word in line.split() if "http://" in word).strip(
            ","
        )
        command = next(line for line in lines if "its page asks for a key" in line).partition("a key: ")[2].split()
        made = world.run(*command[1:])
        assert made.returncode == 0, made.stderr
        browser = Browser(chromium, address)
        browser.size(1280)
        browser.open(made.stdout.strip())
        browser.sees("#no-campaigns", "No campaign yet")
        browser.sees("#workers", "worker")
        assert not browser.complaints()
    finally:
        world.end()
