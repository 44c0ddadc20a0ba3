"""What people see and do on the page: in a real browser, against the real thing."""

import asyncio
import signal

from selenium.webdriver.common.keys import Keys

from tests.flow.cli.conftest import PATIENCE_S, wait_until
from tests.web.conftest import Browser, Shop
from tests.web.letters import write_in

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
WIDTHS = (320, 390, 1280)


def row(campaign: str) -> str:
    return f'[data-id="{campaign}"]'


def through(browser: Browser, campaign: str) -> int:
    """Messages that are through, as the row says: «12 % · 24 of 200»."""
    words = browser.text(f"{row(campaign)} .at")
    return int(words.split(" · ")[1].split(" of ")[0].replace(",", "")) if " of " in words else 0


def test_without_a_key_the_page_says_how_to_get_one_and_a_wrong_one_is_told_so(browser: Browser) -> None:
    browser.open()
    assert "volley keys create --name me --scope read --scope ops" in browser.text("#ask")
    browser.one("#key").send_keys("vk_live_0000000000_" + "x" * 43, Keys.ENTER)
    browser.sees("#refused", "this key is not known")
    assert not browser.all("#tiles .tile")


def test_a_campaign_is_seen_moving_without_a_reload(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    campaign = shop.push(400, 0)
    browser.comes(lambda: 0 < through(browser, campaign) < 400, "it has begun")
    before = through(browser, campaign)
    browser.comes(lambda: through(browser, campaign) > before, "it goes on")
    shop.act("cancel", campaign)


def test_pause_resume_and_cancel_are_asked_again_and_done_in_the_key_s_name(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read", "ops", name="the night shift"))
    campaign = shop.push(400, 1000)
    browser.comes(lambda: browser.all(f"{row(campaign)} [data-verb=pause]"), "it may be paused")
    browser.press(f"{row(campaign)} [data-verb=pause]")
    browser.press("#sure-no")
    assert shop.state(campaign) == "ready", "whoever says no has done nothing"
    for verb, state in (("pause", "paused"), ("resume", "ready"), ("cancel", "cancelled")):
        browser.act(campaign, verb)
        assert shop.state(campaign) == state
    wait_until(lambda: shop.actions("cancel", campaign))
    for verb in ("pause", "resume", "cancel"):
        [who] = shop.actions(verb, campaign)
        assert who.endswith("the night shift")
    browser.sees("#audit", "the night shift")


def test_a_key_that_may_only_read_sees_nothing_to_press(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    campaign = shop.push(200, 2000)
    browser.comes(lambda: browser.all(row(campaign)), "it is there")
    assert not browser.all("[data-verb]")
    browser.open(shop.a_key("read", "ops"))
    browser.comes(lambda: browser.all(f"{row(campaign)} [data-verb=cancel]"), "who may do it sees it")
    browser.act(campaign, "cancel")


def test_what_people_and_programs_write_is_text_and_nothing_else(shop: Shop, browser: Browser) -> None:
    write_in(shop, HOSTILE)
    hostile = shop.a_key("read", "ops", name=HOSTILE[:60])
    campaign = shop.push(40, 2500, tags=[HOSTILE])
    assert shop.post(f"/v1/campaigns/{campaign}:pause", key=hostile).status == 200
    browser.open(hostile)
    browser.sees("#inbound", HOSTILE)
    browser.sees("#audit", HOSTILE[:60])
    browser.sees(row(campaign), HOSTILE)
    browser.press(f"{row(campaign)} .title")
    browser.sees("#detail h1", HOSTILE)
    assert HOSTILE not in browser.driver.title
    assert not browser.all("main img, main script")
    shop.act("cancel", campaign)


BROKEN_IN = """
const done = arguments[arguments.length - 1];
const broken = [];
document.addEventListener("securitypolicyviolation", (each) => broken.push(each.effectiveDirective));
const script = document.createElement("script");
const tried = (what, doing) => { try { doing(); } catch { broken.push(what); } };
tried("no text of a script", () => { script.textContent = "document.title = 'owned'"; document.body.append(script); });
tried("no markup of a string", () => { document.querySelector("#said").innerHTML = "<img src=x onerror=document.title='owned'>"; });
const image = document.createElement("img");
image.src = "http://127.0.0.1:9/pixel.png";
document.body.append(image);
fetch("http://127.0.0.1:9/").catch(() => {}).then(() => setTimeout(() => done([...new Set(broken)]), 200));
"""


def test_what_slipped_through_would_be_stopped_by_the_browser(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    broken = set(browser.driver.execute_async_script(BROKEN_IN))
    assert {"no text of a script", "no markup of a string", "img-src", "connect-src"} <= broken
    assert browser.driver.title == "Volley"
    browser.complaints()  # the console tells of each of them, as it should


def test_what_failed_is_retried_by_its_code_once_somebody_says_yes(shop: Shop, browser: Browser) -> None:
    shop.fault({"kind": "status", "status": 400, "code": "40310", "match_to": "+14155556*"})
    campaign = shop.push(5, 6000)
    wait_until(lambda: shop.counts(campaign).get("refused") == 5)
    shop.fault()
    browser.open(shop.a_key("read", "ops", name="the day shift"))
    browser.press("#all-ones")
    browser.comes(lambda: browser.all(f"{row(campaign)} [data-verb=retry]"), "what is over may be retried")
    browser.press(f"{row(campaign)} [data-verb=retry]")
    browser.one("#codes").send_keys("40310")
    browser.press("#sure-no")
    assert not shop.actions("retry", campaign)
    browser.press(f"{row(campaign)} [data-verb=retry]")
    assert browser.one("#codes").get_attribute("value") == "", "each question begins anew"
    browser.one("#codes").send_keys("40310")
    browser.press("#sure-yes")
    browser.sees("#said", "5 messages of campaign")
    wait_until(lambda: not shop.counts(campaign).get("refused"))
    wait_until(lambda: shop.actions("retry", campaign))
    assert shop.actions("retry", campaign)[0].endswith("the day shift")
    browser.sees("#outcomes", "40310")


def test_a_retry_that_is_refused_says_why_and_leaves_the_question_open(shop: Shop, browser: Browser) -> None:
    shop.fault({"kind": "status", "status": 400, "code": "40310", "match_to": "+14155556*"})
    campaign = shop.push(2, 6100)
    wait_until(lambda: shop.counts(campaign).get("refused") == 2)
    shop.fault()
    browser.open(shop.a_key("read", "ops"))
    browser.press("#all-ones")
    browser.comes(lambda: browser.all(f"{row(campaign)} [data-verb=retry]"), "what is over may be retried")
    browser.press(f"{row(campaign)} [data-verb=retry]")
    browser.one("#codes").send_keys("<40310>")
    browser.press("#sure-yes")
    browser.comes(lambda: browser.text("#sure-error"), "it says what is wrong")
    assert browser.one("#sure").get_attribute("open") is not None
    browser.press("#sure-no")
    assert shop.counts(campaign)["refused"] == 2


def test_that_all_sending_is_stopped_is_the_first_thing_one_sees(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    assert shop.post("/v1/sending:stop", {"why": "a wrong price"}).status == 200
    browser.sees("#banners .bad", "All sending is stopped")
    assert shop.post("/v1/sending:resume").status == 200
    browser.comes(lambda: not browser.all("#banners .bad"), "it goes on")


def test_it_fits_a_phone_in_the_light_and_in_the_dark(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read", "ops"))
    grounds = set()
    for scheme in ("light", "dark"):
        browser.light(scheme)
        for width in WIDTHS:
            browser.size(width)
            assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
        grounds.add(browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_the_keyboard_alone_is_enough(shop: Shop, browser: Browser) -> None:
    token, campaign = shop.a_key("read", "ops"), shop.push(400, 3000)
    browser.open()
    press = browser.driver.switch_to.active_element.send_keys
    press(token, Keys.ENTER)
    browser.comes(lambda: browser.all(f"{row(campaign)} [data-verb=cancel]"), "it is there")
    _tab_to(browser, f"{row(campaign)} [data-verb=pause]")
    shown = browser.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert shown != "none", "one sees where one is"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    browser.comes(lambda: not browser.all("#sure[open]"), "escape leaves it")
    _tab_to(browser, f"{row(campaign)} [data-verb=cancel]")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait_until(lambda: shop.state(campaign) == "cancelled")
    wait_until(lambda: shop.actions("cancel", campaign))
    assert not shop.actions("pause", campaign), "escape has done nothing"


def _tab_to(browser: Browser, css: str) -> None:
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        if browser.driver.switch_to.active_element.get_attribute("data-verb"):
            here = browser.driver.execute_script("return document.activeElement.matches(arguments[0])", css)
            if here:
                return
    raise AssertionError(f"no way to {css} by keyboard")


def test_one_campaign_has_a_view_of_its_own_with_what_it_waits_for(shop: Shop, browser: Browser) -> None:
    campaign = shop.push(300, 4000)
    shop.act("pause", campaign)
    browser.open(shop.a_key("read", "ops"))
    browser.comes(lambda: browser.all(f"{row(campaign)} .title"), "it is there")
    browser.press(f"{row(campaign)} .title")
    browser.sees("#detail", "paused")
    browser.sees("#detail .plainly", "paus")
    browser.sees("#detail .legend", "ready")
    browser.driver.back()
    browser.comes(lambda: browser.all(row(campaign))[0].is_displayed(), "and a way back")
    browser.act(campaign, "cancel")


def test_when_serve_is_away_the_page_says_so_and_comes_back_by_itself(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    serve = shop.world.started[0]
    serve.send_signal(signal.SIGTERM)
    serve.wait(PATIENCE_S)  # who watches does not keep it from its end
    browser.sees("#live", "not live since")
    shop.world.started[0] = shop.world.start("serve")
    shop.world.started.pop()
    browser.comes(lambda: browser.text("#live") == "live", "it is live again")


def test_when_redis_is_away_the_page_says_so_and_comes_back_by_itself(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    asyncio.run(shop.valkey.stop())
    browser.sees("#live", "Redis")
    assert browser.text("#tiles"), "what was known stays, with its time"
    asyncio.run(shop.valkey.start())
    browser.comes(lambda: browser.text("#live") == "live", "it is live again")
    campaign = shop.push(20, 6600)
    browser.comes(lambda: browser.all(row(campaign)), "and moves")
