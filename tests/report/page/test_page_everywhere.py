"""The page as a reader has it: on a desktop and a phone, light and dark, without scripts."""

import io
import re
from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, eventually, faults, opened, too_wide
from PIL import Image

REPORT = Path(__file__).parents[3] / "report"
SCHEMES = ["light", "dark"]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


def test_the_first_screen_has_title_answer_figure_and_contents(page):
    _, height = DESKTOP
    for part in ("h1", "h2", "text=Normalization helps", "#figure-1 img", "#contents li"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, part
    text_box, contents = page.locator("main").bounding_box(), page.locator("nav").bounding_box()
    assert contents["x"] + contents["width"] <= text_box["x"]


# Without scripts, and against others' ------------------------------------------------------------


def test_without_scripts_all_there_is_to_read_is_there(browser, file):
    with opened(browser, file, java_script_enabled=False) as page:
        assert page.locator("#contents li").first.is_visible()  # beside the text
        assert page.locator("#claim-H1").is_visible()
        for widget in ("#lottery", "#ledger-filter", "#fold"):
            assert not page.locator(widget).is_visible()
        assert page.get_by_text("The static figure.").is_visible()
        page.locator("summary", has_text="Code").first.click()
        assert page.get_by_text("hidden = 1").is_visible()


def test_the_policy_lets_no_other_script_run(browser, file, tmp_path):
    other = tmp_path / "index.html"
    live = '<script>document.title = "run"</script><b onclick="document.title = 1">live</b>'
    other.write_text(file.read_text("utf-8").replace("The end.", live), "utf-8")
    with opened(browser, other, noise=["Content Security Policy"]) as page:
        page.get_by_text("live", exact=True).click()
        assert len(page.title()) > 10 and page.locator("#lottery").is_visible()


# Every size and scheme ---------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "scheme"), [
    (DESKTOP, "light"), (PHONE, "dark"),
    pytest.param(DESKTOP, "dark", marks=pytest.mark.slow),
    pytest.param(PHONE, "light", marks=pytest.mark.slow),
])  # fmt: skip
def test_axe_finds_nothing_however_much_is_open(browser, file, scheme, size):
    with opened(browser, file, size, color_scheme=scheme, reduced_motion="reduce") as page:
        page.evaluate(OPEN_ALL)
        assert faults(page) == []


def test_on_a_phone_nothing_is_too_wide_and_contents_are_closed(browser, file):
    with opened(browser, file, PHONE) as page:
        assert too_wide(page) == []
        assert not page.locator("#contents li").first.is_visible()
        page.locator("#contents summary").click()
        page.locator("#contents a", has_text="A1 On trial").click()
        assert not page.locator("#contents li").first.is_visible()
        scroll = page.locator(".scroll", has_text="a wide table")
        assert scroll.evaluate("region => region.scrollWidth > region.clientWidth")
        scroll.focus()
        page.keyboard.press("ArrowRight")
        eventually(page, lambda: scroll.evaluate("region => region.scrollLeft > 0"))


def test_what_does_not_scroll_is_no_stop_for_the_keyboard(page):
    stops = page.locator(".scroll").evaluate_all(
        "regions => regions.map(r => [r.scrollWidth > r.clientWidth, r.tabIndex === 0])"
    )
    assert all(scrolls == stop for scrolls, stop in stops) and [True, True] in stops


@pytest.mark.parametrize("scheme", SCHEMES)
def test_figures_have_the_pages_colours(browser, file, scheme):
    with opened(browser, file, color_scheme=scheme) as page:
        shot = page.locator("#figure-1 img").screenshot()
    corner = Image.open(io.BytesIO(shot)).convert("RGB").getpixel((8, 8))
    assert corner == ((255, 255, 255) if scheme == "light" else (0x16, 0x18, 0x1C))


def test_print_is_light_and_has_no_controls(browser, file):
    with opened(browser, file, (700, 900), color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        for part in ("#contents", "#lottery", "#ledger-filter", ".download"):
            assert not page.locator(part).first.is_visible()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_published_page_is_sound(browser, scheme, size):
    file = REPORT / "index.html"
    assert file.stat().st_size <= 4_000_000
    with opened(browser, file, size, color_scheme=scheme, reduced_motion="reduce") as page:
        assert faults(page) == [] and too_wide(page) == []
        if size == DESKTOP:  # where there is room for every table
            assert page.locator(".scroll[tabindex='0']").count() == 0
        assert page.locator("#lottery").is_visible() and re.match("What", page.title())
        page.evaluate(OPEN_ALL)
        assert faults(page) == []
