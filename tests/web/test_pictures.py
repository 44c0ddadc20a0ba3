"""Pictures for the docs, where somebody asks for them: make screenshots."""

import base64
import os
import time
from pathlib import Path

from tests.web.conftest import Browser, Shop


def test_pictures_of_the_page(shop: Shop, browser: Browser) -> None:
    folder = Path(os.environ["SCREENSHOTS"])
    for n in range(3):
        campaign = shop.push(150 + 100 * n, 5000 + 1000 * n)
    assert shop.world.run("campaigns", "pause", campaign).returncode == 0
    browser.open(shop.key("read", "ops", name="night shift"))
    time.sleep(20)
    for name, width, height, scheme in (
        ("dashboard", 1280, 900, "light"),
        ("dashboard-dark", 1280, 900, "dark"),
        ("dashboard-phone", 390, 844, "dark"),
    ):
        browser.light(scheme)
        browser.size(width, height)
        time.sleep(1)
        shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": False})
        (folder / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
