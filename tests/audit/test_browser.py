"""The report in a real browser: it renders, fits, stays silent and asks nobody for anything."""

import json
import os
import shutil

import pytest

from tests.audit import factory
from unrelu.audit._html import to_html

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def find(*names):
    """Return the path of the first program found; else skip, or fail in continuous integration."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {names[0]}")
    return found


@pytest.fixture(scope="module")
def browser():
    browser_path, driver_path = find(*BROWSERS), find("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser_path
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["realistic", "hostile", "empty"])
def address(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    to_html(factory.CASES[request.param](), path)
    return path.as_uri()


def visit(browser, address, width=1280, scheme="light"):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(address)


def requested(browser):
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_renders_without_errors_or_requests(browser, address, scheme):
    visit(browser, address, scheme=scheme)
    assert browser.find_element("tag name", "h1").is_displayed()
    widths = browser.execute_script("return [...document.images].map(i => i.complete ? i.naturalWidth : 0)")
    assert all(width > 0 for width in widths)
    urls = requested(browser)
    assert urls and all(url.startswith(("file:", "data:")) for url in urls), urls
    assert not browser.get_log("browser")


@pytest.mark.parametrize("width", [1280, 400])
def test_fits_the_window(browser, address, width):
    visit(browser, address, width)
    assert browser.execute_script("return window.innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_dark_pages_get_dark_pictures(browser, tmp_path):
    to_html(factory.single(), tmp_path / "report.html")
    shown = {}
    for scheme in ("light", "dark"):
        visit(browser, (tmp_path / "report.html").as_uri(), scheme=scheme)
        script = "return [document.images[0].currentSrc, getComputedStyle(document.body).backgroundColor]"
        shown[scheme] = browser.execute_script(script)
    assert shown["light"][0] != shown["dark"][0]
    assert shown["light"][1] != shown["dark"][1]


def test_no_script_of_a_name_runs(browser, tmp_path):
    from selenium.common.exceptions import NoAlertPresentException

    to_html(factory.hostile(), tmp_path / "report.html")
    visit(browser, (tmp_path / "report.html").as_uri())
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert.accept()
    assert not browser.find_elements("css selector", "script")
