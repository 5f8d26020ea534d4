# SPDX-License-Identifier: Apache-2.0
"""A browser for the page: Debian's Chromium, headless, driven by Selenium."""

import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
         "--allow-insecure-localhost", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
         "--hide-scrollbars", "--lang=en")


class Browser:
    """A Selenium driver (everything unknown here is the driver's) with what the tests of the page need often."""

    def __init__(self, folder, width, height, javascript, language, dark, options):
        self.folder = Path(folder)
        settings = webdriver.ChromeOptions()
        settings.binary_location = shutil.which("chromium")
        settings.accept_insecure_certs = True
        for flag in (*FLAGS, f"--user-data-dir={self.folder / 'profile'}", f"--window-size={width},{height}", *options):
            settings.add_argument(flag)
        if dark:
            settings.add_argument("--force-dark-mode")
        preferences = {"intl.accept_languages": language}
        if not javascript:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        settings.add_experimental_option("prefs", preferences)
        settings.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"), log_output=str(self.folder / "chromedriver.log"))
        self.driver = webdriver.Chrome(options=settings, service=service)
        self.driver.set_page_load_timeout(30)
        self.driver.set_script_timeout(30)
        # A window has a smallest width; what the page sees is set exactly by this.
        self.resize(width, height)

    def __getattr__(self, name):
        return getattr(self.driver, name)

    def resize(self, width, height):
        """What the page sees, in CSS pixels; narrow ones count as a phone."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition, what="the page", seconds=20):
        """Waits until condition(browser) is true; returns that."""
        # A page that is just being replaced is looked at again. Chromium has more than one name for that, and some that mean all else.
        waiting = WebDriverWait(self, seconds, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        return waiting.until(condition, f"waited {seconds} s for {what}")

    def wait_for(self, selector, seconds=20):
        """Waits for an element that is there and visible."""
        def shown(browser):
            return next((element for element in browser.find_all(selector) if element.is_displayed()), None)
        return self.wait(shown, selector, seconds)

    def wait_text(self, selector, text, seconds=20):
        """Waits until the element's visible text contains this."""
        return self.wait(lambda browser: any(text in element.text for element in browser.find_all(selector)),
                         f"{text!r} in {selector}", seconds)

    def offline(self, on=True):
        """Takes the network away from the page, or gives it back."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
            "offline": on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})

    def scrolls_sideways(self):
        """True when something is wider than the window."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def console(self):
        """What the page said to the console since the last call: errors of scripts and of the content security policy."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, name, whole=False):
        """Saves a PNG in the test's folder and returns its path; `whole` is the page in its full height."""
        path = self.folder / f"{name}.png"
        if whole:
            size = self.driver.execute_script(
                "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
            self.resize(*size)
        path.write_bytes(self.driver.get_screenshot_as_png())
        return path

    def quit(self):
        self.driver.quit()


@pytest.fixture
def browser_factory(tmp_path):
    """browser_factory(width=320, javascript=False, …) starts a browser with a profile of its own."""
    made = []

    def make(width=1200, height=900, javascript=True, language="en", dark=False, options=()):
        folder = tmp_path / f"browser{len(made) + 1}"
        folder.mkdir()
        browser = Browser(folder, width, height, javascript, language, dark, options)
        made.append(browser)
        return browser

    yield make
    for browser in made:
        browser.quit()


@pytest.fixture
def browser(browser_factory):
    """A browser with a desktop's window."""
    return browser_factory()


@pytest.fixture
def phone(browser_factory):
    """A browser as narrow as the narrowest phone: 320 CSS pixels."""
    return browser_factory(width=320, height=640)
