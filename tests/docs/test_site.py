"""The built site in a real browser. PAFO_SK_SITE names its folder; .ci/run builds it first."""

import os
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
from chromium import open_chromium
from public_names import public_names
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if "PAFO_SK_SITE" not in os.environ:
    pytest.skip("PAFO_SK_SITE names no built site", allow_module_level=True)

pytestmark = pytest.mark.slow

SITE = Path(os.environ["PAFO_SK_SITE"]).resolve()
FILES = [str(page.relative_to(SITE)) for page in SITE.rglob("*.html")]
PAGES = sorted(page for page in FILES if not page.startswith("_static"))  # parts of the theme
NARROW, WIDE = 375, 1400
# The page's width, or that of its text, which scrolls by itself where it is wider.
WIDTH = """
return Math.max(...[...document.querySelectorAll('html, .bd-article-container')]
  .map(e => e.scrollWidth));
"""
# The lowest contrast of visible text with the first background behind it that is not transparent.
CONTRAST = """
const light = c => c.map(v => v <= 10.31475 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4)
                    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const rgba = text => text.match(/[\\d.]+/g).map(Number);
const behind = e => {
  for (; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > .5) return colour;
  }
  return [255, 255, 255];
};
let worst = [21, ''];
const walker = document.createTreeWalker(document.body, 4);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !e.checkVisibility({opacityProperty: true})) continue;
  const [a, b] = [rgba(getComputedStyle(e).color), behind(e)].map(c => light(c.slice(0, 3)));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < worst[0]) worst = [ratio, walker.currentNode.data.trim().slice(0, 40)];
}
return worst;
"""


class Reader(HTMLParser):
    """Addresses that a page names, and the places in it that a link may lead to."""

    def __init__(self):
        super().__init__()
        self.addresses, self.places = [], {""}

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.places.add(given.get("id") or "")
        if given.get("rel") not in {"search", "index", "author"}:
            self.addresses += [given[name] for name in ("href", "src") if given.get(name)]


def read(page):
    """Addresses and places of a page."""
    reader = Reader()
    reader.feed((SITE / page).read_text(encoding="utf-8"))
    return reader


def test_every_public_name_has_a_page():
    assert {f"api/{name}.html" for name in public_names()} <= set(PAGES)


def test_links_and_images_lead_somewhere():
    pages = {page: read(page) for page in PAGES}
    broken = []
    for page, reader in pages.items():
        for address in reader.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (SITE / page).parent / unquote(parts.path) if parts.path else SITE / page
            name = os.path.relpath(target.resolve(), SITE)
            places = pages[name].places if name in pages else {parts.fragment}
            if not target.is_file() or unquote(parts.fragment) not in places:
                broken.append(f"{page}: {address}")
    assert not broken, "\n".join(broken)


@pytest.fixture(scope="module")
def address():
    """Address of a server of the site."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    driver = open_chromium()
    yield driver
    driver.quit()


def resize(browser, width):
    """Give the page this width, which a window cannot have below 500 pixels."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_readable_and_without_errors(browser, address, theme):
    browser.get(f"{address}/index.html")
    browser.execute_script("localStorage.setItem('mode', arguments[0])", theme)
    browser.execute_script("localStorage.setItem('theme', arguments[0])", theme)
    browser.get_log("browser")
    problems = []
    for page in PAGES:
        resize(browser, NARROW)
        browser.get(f"{address}/{page}")
        assert browser.execute_script("return document.documentElement.dataset.theme") == theme
        width = browser.execute_script(WIDTH)
        if width > NARROW:
            problems.append(f"{page} is {width} pixels wide")
        contrast, text = browser.execute_script(CONTRAST)
        if contrast < 4.5:
            problems.append(f"{page}: contrast {contrast:.1f} of {text!r}")
        log = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        problems += [f"{page}: {entry['message']}" for entry in log]
    assert not problems, "\n".join(problems)


def test_the_search_finds_the_estimator(browser, address):
    resize(browser, WIDE)
    browser.get(f"{address}/search.html?q=PafoRewardEstimator")
    found = WebDriverWait(browser, 20).until(
        lambda one: one.find_elements(By.CSS_SELECTOR, "#search-results ul.search li a")
    )
    pages = {urlsplit(link.get_attribute("href")).path for link in found}
    assert "/api/pafo_sk.PafoRewardEstimator.html" in pages
