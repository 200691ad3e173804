"""A real browser for the page's tests: Chromium, which Playwright drives.

Where either is missing, a module that imports this one is skipped, with a line that says why.
"""

import shutil
from contextlib import contextmanager

import pytest

WHY = "the page was not tried in a browser: "
DRIVER = pytest.importorskip(
    "playwright.sync_api", reason=WHY + "`pip install -e 'report[page]'` has what drives one"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
if PROGRAM is None:
    pytest.skip(WHY + "`apt-get install chromium` has one", allow_module_level=True)

PATIENCE = 120_000  # milliseconds, where other work has the processor
DESKTOP, PHONE = (1400, 900), (420, 900)


@contextmanager
def started():
    """The browser."""
    with DRIVER.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=PROGRAM)


@contextmanager
def opened(browser, file, size=DESKTOP, noise=(), **settings):
    """The file's page; nothing is asked of any network, and nothing is said on the console.

    Messages that contain one of `noise` are meant.
    """
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **settings)
    context.set_default_timeout(PATIENCE)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert [text for text in said if not any(part in text for part in noise)] == []


def eventually(page, condition):
    """Wait until the condition, a function of Python's, holds: the policy forbids Playwright's."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about in 5 seconds")


def faults(page):
    """What axe-core finds: the rule, how often, and the first element that breaks it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [(rule["id"], len(rule["nodes"]), rule["nodes"][0]["html"][:200]) for rule in found]


# Elements that reach out of the page to the right, but for what lies in a region that scrolls.
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1
    && !element.closest(".scroll > *, .skip"))
  .map((element) => element.outerHTML.slice(0, 200))"""


def too_wide(page):
    """The elements that are wider than the page, and the page's own width if it scrolls."""
    found = page.evaluate(TOO_WIDE)
    scrolled = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return found + ["the page"] * scrolled
