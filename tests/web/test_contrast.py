"""What is written can be read: contrast as WCAG 2.2 AA wants it (1.4.3, 1.4.11), reckoned from the styles that the browser came to."""

from tests.web.conftest import Browser, Shop
from tests.web.letters import write_in

FAINT = r"""
const channel = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const parse = (css) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = css;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r / 255, g / 255, b / 255, a / 255];
};
const over = ([r, g, b, a], under) => [r, g, b].map((c, n) => c * a + under[n] * (1 - a));
// What is behind a node: the grounds of all that it lies in, the innermost on top.
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, layer) => over(layer, under), [1, 1, 1]);
};
const seen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && node.getClientRects().length > 0;
const found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let texts = 0;
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  if (!walk.currentNode.textContent.trim() || !seen(node) || node.closest(".unseen, .skip, :disabled")) continue;
  texts += 1;
  const style = getComputedStyle(node);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const behind = ground(node);
  const is = ratio(over(parse(style.color), behind), behind);
  const told = `${is.toFixed(2)} ${node.tagName} .${node.className} ${walk.currentNode.textContent.trim().slice(0, 30)}`;
  if (is < (large ? 3 : 4.5)) found.push(told);
}
// What one must see to use it, or to read a drawing: 3 to 1.
const drawn = (css, property, around) => {
  for (const node of document.querySelectorAll(css)) {
    if (!seen(node)) continue;
    const behind = ground(around ? node.parentElement : node);
    const is = ratio(over(parse(getComputedStyle(node)[property]), behind), behind);
    if (is < 3) found.push(`${is.toFixed(2)} ${css} ${property}`);
  }
};
drawn("input", "borderTopColor", true);
drawn(".line", "stroke", true);
drawn(".part.bad, .part.odd, .part.good, .part.going, .part.sent, .part.out", "backgroundColor", true);
const focused = document.activeElement;
if (focused && focused !== document.body && getComputedStyle(focused).outlineStyle !== "none") {
  const is = ratio(parse(getComputedStyle(focused).outlineColor), ground(focused.parentElement));
  if (is < 3) found.push(`${is.toFixed(2)} focus`);
}
return [texts, [...new Set(found)]];
"""


def faint(browser: Browser, least: int) -> list[str]:
    """What has too little contrast, of at least so many texts."""
    texts, found = browser.script(FAINT)
    assert texts >= least, "there was something to look at"
    return list(found)


def test_all_of_it_can_be_read_in_the_light_and_in_the_dark(shop: Shop, browser: Browser) -> None:
    write_in(shop, "When do you open?")
    campaign = shop.push(30, 0, tags=["a tag"])
    held = shop.push(30, 100)
    shop.act("pause", held)
    gone = shop.push(30, 200)
    shop.act("cancel", gone)
    token = shop.a_key("read", "ops")
    for scheme in ("light", "dark"):
        browser.light(scheme)
        browser.open()
        assert faint(browser, 8) == []
        browser.open(token)
        browser.press("#all-ones")
        browser.comes(lambda: browser.all(f'[data-id="{gone}"]'), "all of them are there")
        browser.sees("#inbound", "When do you open?")
        assert faint(browser, 60) == []
        browser.press(f'[data-id="{held}"] [data-verb=cancel]')
        assert faint(browser, 60) == []
        browser.press("#sure-no")
        browser.press(f'[data-id="{campaign}"] .title')
        browser.comes(lambda: browser.text("#detail .legend"), "its counts")
        assert faint(browser, 30) == []


def test_a_colour_that_is_too_faint_would_be_found(shop: Shop, browser: Browser) -> None:
    browser.open(shop.a_key("read"))
    browser.script("document.documentElement.style.setProperty('--quiet', '#8a938f')")
    assert any(".quiet" in each or "quiet" in each for each in faint(browser, 40))
    browser.open()
    browser.script("document.querySelector('#key').style.borderColor = '#ddd'")
    assert [each.split(" ", 1)[1] for each in faint(browser, 8)] == ["input borderTopColor"]
