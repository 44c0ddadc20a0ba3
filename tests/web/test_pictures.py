"""Pictures for the docs, where somebody asks for them: make screenshots."""

import base64
import os
import time
from pathlib import Path

from tests.flow.cli.conftest import wait_until
from tests.web.conftest import Browser, Shop
from tests.web.letters import write_in
from volley.sandbox.config import Price, ReceiptSpec, SandboxConfig, Tariff

RATES = 'sticky = "always"\n[rates]\naccount = 60\nlong_code = 3\ntoll_free = 12\n'
CARRIER = SandboxConfig(
    pool=(("long_code", 12, 0.0), ("toll_free", 2, 0.0)),
    tariff=Tariff(price=Price(rate="0.004", carrier_fee="0.0045")),
    receipts=ReceiptSpec(done_after_s=(0.2, 1.5), failed=0.03, unconfirmed=0.01),
)
SHOTS = (
    ("dashboard", 1280, 900, "light"),
    ("dashboard-dark", 1280, 900, "dark"),
    ("dashboard-phone", 390, 844, "dark"),
)


def scene(shop: Shop) -> str:
    """An afternoon of a shop: what is done, what goes, what waits, what went wrong. Answers the campaign to look at."""
    done = shop.push(180, 0, text="Your parcel is on its way.", tags=["parcels"])
    wait_until(lambda: shop.state(done) == "finished")
    refused = {"kind": "status", "status": 400, "code": "40310", "match_to": "+14155552*", "share": 0.5}
    shop.fault(refused, {"kind": "lost", "match_to": "+14155553*", "share": 0.03})
    odd = shop.push(60, 2000, text="Your table is booked for tonight.", tags=["bookings"])
    wait_until(lambda: shop.state(odd) == "finished")
    shop.push(1400, 3000, text="Autumn sale: 20 % off everything until Sunday.", tags=["autumn sale"])
    looked_at = shop.push(900, 5000, text="Hello, your invoice for October is ready.", tags=["invoices"], rate=20)
    held = shop.push(350, 7000, text="We open a new shop in your street.", tags=["opening"])
    shop.act("pause", held)
    shop.push(12, 8000, text="Your code is 4711", priority="urgent")
    for n, text in enumerate(("Thanks, got it!", "When do you open tomorrow?", "STOP")):
        write_in(shop, text, person=f"+1415555{n:04}", n=n)
    return looked_at


def picture(browser: Browser, name: str) -> None:
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": False})
    (Path(os.environ["SCREENSHOTS"]) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def test_pictures_of_the_page(shop: Shop, browser: Browser) -> None:
    looked_at = scene(shop)
    browser.open(shop.a_key("read", "ops", name="night shift"))
    time.sleep(15)
    for name, width, height, scheme in SHOTS:
        browser.light(scheme)
        browser.size(width, height)
        time.sleep(1)
        picture(browser, name)
    browser.light("light")
    browser.size(1280, 900)
    browser.press(f'[data-id="{looked_at}"] .title')
    time.sleep(10)
    picture(browser, "dashboard-campaign")
