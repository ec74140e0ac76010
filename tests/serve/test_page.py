"""The page, in a real browser that asks a real process."""

import re

import pytest
from chromium import open_chromium
from fastapi.testclient import TestClient
from service import SECONDS, Service

from pafo_sk.serve import create_app


def test_the_page_needs_no_other_server(model, database):
    with TestClient(create_app(model, database, token="sesame")) as client:
        answer = client.get("/")
    assert answer.status_code == 200
    assert not re.findall(r"(?:https?:)?//[a-z]", answer.text.replace("// ", ""))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.fixture
def browser():
    driver = open_chromium()
    driver.implicitly_wait(SECONDS)
    yield driver
    driver.quit()


class Page:
    """What a person does on the page, and what the person sees."""

    def __init__(self, browser, url):
        self.browser = browser
        browser.get(url)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def wait_for(self, selector, text):
        """Wait until an element has a text that the pattern matches; return it."""
        from selenium.webdriver.support.ui import WebDriverWait

        def matches(_):
            return re.search(text, self.find(selector).text)

        WebDriverWait(self.browser, SECONDS).until(matches, f"{selector} never had {text!r}")
        return self.find(selector).text

    def type(self, label, text):
        """Type into the field that has this label."""
        xpath = f"//label[normalize-space()='{label}']"
        name = self.browser.find_element("xpath", xpath)
        field = name.get_attribute("for")
        field = self.find(f"#{field}") if field else name.find_element("tag name", "textarea")
        field.clear()
        field.send_keys(text)

    def press(self, text):
        self.browser.find_element("xpath", f"//button[normalize-space()='{text}']").click()

    def ranking(self):
        """Response, place and reward of what is ranked, in the order of the page."""
        pattern = r"Place (\d+), reward (-?[\d.]+).*\n(.*)\n"
        found = re.findall(pattern, self.wait_for("#ranking", "Place"))
        return [(text, int(place), float(reward)) for place, reward, text in found]


def expected(service, responses, user):
    items = [{"prompt": "city", "response": text, "user": user} for text in responses]
    rewards = service.ask("/reward", {"items": items})["rewards"]
    ranks = service.ask("/rank", {"items": items})["ranks"]
    found = zip(responses, ranks, [round(reward, 3) for reward in rewards], strict=True)
    return sorted(found, key=lambda one: one[1])


def check_narrow_and_dark(page):
    """On a telephone in the dark everything fits, is readable and has a label."""
    size = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    page.type("Response 1", "unbroken" * 20)
    page.press("Rank")
    page.wait_for("#ranking", "unbroken")
    run = page.browser.execute_script
    assert run("return document.documentElement.scrollWidth") == 375
    colours = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    text, back = (sum(map(int, re.findall(r"\d+", one))) for one in run(colours))
    assert text > 600
    assert back < 150
    fields = "[...document.querySelectorAll('input, textarea')]"
    assert run(f"return {fields}.filter((field) => !field.labels.length).length") == 0


@pytest.mark.slow
def test_a_person_ranks_and_enrols(browser, file, tiny_encoder_path):
    responses = ["bad bus", "<b>more</b>", "yes"]
    with Service(file, tiny_encoder_path) as service:
        page = Page(browser, service.url)
        page.wait_for("#known", "Without a user")
        listed = browser.execute_script("return [...users.options].map((one) => one.value)")
        assert sorted(listed) == sorted(f"user {i}" for i in range(12))
        page.press("Rank")
        assert page.wait_for("#error", ".") == "Type a response."

        page.type("User", "new person")
        page.type("Prompt", "city")
        page.press("Add a response")
        for i, text in enumerate(responses):
            page.type(f"Response {i + 1}", text)
        page.press("Rank")
        before = page.ranking()
        assert before == expected(service, responses, "new person")
        assert "does not know" in page.find("#known").text

        page.find("#ranking li:last-child button").click()
        page.wait_for("#status", "2 comparisons are enrolled")
        assert page.find("#known").text == "The model knows 2 comparisons of this user."
        after = page.ranking()
        assert after == expected(service, responses, "new person")
        (first, _, best), *_, (last, _, worst) = before
        rewards = {text: reward for text, _, reward in after}
        assert rewards[last] - rewards[first] > worst - best
        assert not page.find("#ranking button").is_enabled()

        page.type("User", "user 3")
        # nobody chooses for one user in the ranking of another
        assert not page.find("#result").is_displayed()
        page.press("Rank")
        page.wait_for("#heading", "^Ranking for user 3$")
        assert page.find("#known").text == "The model knows 10 comparisons of this user."
        assert page.ranking() == expected(service, responses, "user 3")
        check_narrow_and_dark(page)
        assert browser.get_log("browser") == []

    page.press("Rank")
    assert page.wait_for("#error", ".") == "The service does not answer."


@pytest.mark.slow
def test_the_page_asks_for_a_token(browser, file, tiny_encoder_path):
    with Service(file, tiny_encoder_path, token="sesame") as service:
        page = Page(browser, service.url)
        assert page.wait_for("#error", ".") == "The service asks for a token."
        page.type("Token of the service", "wrong")
        page.type("Response 1", "abc")
        page.press("Rank")
        page.wait_for("#error", "does not know this token")
        page.type("Token of the service", "sesame")
        page.press("Rank")
        assert [text for text, *_ in page.ranking()] == ["abc"]
