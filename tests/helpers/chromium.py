"""Debian's Chromium without a window, for tests of pages."""

import shutil

import pytest


def open_chromium():
    """Start a browser whose messages `get_log("browser")` returns; skip where there is none."""
    from selenium import webdriver

    paths = shutil.which("chromium"), shutil.which("chromedriver")
    if None in paths:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(paths[1]))
