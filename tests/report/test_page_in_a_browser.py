"""The page as a reader has it: in a real browser, on a desktop and a phone, light and dark."""

import io
import re
from base64 import b64encode
from pathlib import Path

import nbformat
import pytest
from browser import DESKTOP, PHONE, eventually, faults, opened, started, too_wide
from hostile import code, data, printed, text
from nbformat.v4 import new_notebook
from pages import ALIGNED
from PIL import Image

from report import page_data
from report.cells import merge
from report.exporters import HTMLReport
from report.study import archive
from report.study.claims import verdicts
from report.study.replication_lottery import compared

REPORT = Path(__file__).parents[2] / "report"
ANSWER = "Normalization helps here, by so much and under these conditions. " * 3
SCHEMES = ["light", "dark"]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
WIDE = f"<table><tr>{'<td>a wide table</td>' * 40}</tr></table>"


def tagged(tag, *outputs, source="show(1)"):
    cell = code(*outputs, source=source)
    cell.metadata.tags = [tag]
    return cell


def figure():
    """A published figure, of which there is a drawing."""
    png = b64encode((REPORT / "figures" / "figure-1.png").read_bytes()).decode()
    shown = data({"image/png": {"alt": "Lines", "width": 620}}, **{"image/png": png})
    caption = data(text_markdown="**Figure 1.** Accuracy.")
    return tagged("hide-input", shown, caption, source="hidden = 1")


def ledger_table():
    frame = verdicts.ledger(archive.read([archive.PUBLISHED])).iloc[:40:2]
    frame = frame[["id", "claim", "verdict"]]
    caption = data(text_markdown="**Table 1.** The ledger.")
    return tagged(page_data.LEDGER, caption, data(text_html=frame.to_html(index=False)))


def filler(number):
    return text(f"## Part {number}\n\n" + "Words that fill a page. " * 150)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A report with everything that the page can do."""
    first = [
        text(f"# The answer\n\n{ANSWER}"), figure(), code(printed("3"), source="# a comment\n3"),
        text(ALIGNED), code(data(text_html=WIDE)), filler(1), filler(2),
    ]  # fmt: skip
    lottery = tagged(page_data.LOTTERY, data(text_markdown="The static figure."))
    trial = [text("# On trial"), ledger_table(), filler(3), lottery]
    parts = {"00_first": first, "A1_trial": trial, "A2_last": [text("# Last\n\nThe end.")]}
    notebooks = {name: new_notebook(cells=cells) for name, cells in parts.items()}
    made, resources = HTMLReport().from_notebook_node(merge(notebooks))
    assert resources["warnings"] == []
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(made, "utf-8")
    return file


@pytest.fixture(scope="module")
def browser():
    with started() as browser:
        yield browser


@pytest.fixture
def page(browser, file):
    with opened(browser, file, reduced_motion="reduce") as page:
        yield page


def test_the_first_screen_has_title_answer_figure_and_contents(page):
    _, height = DESKTOP
    for part in ("h1", "h2", "text=Normalization helps", "#figure-1 img", "#contents li"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, part
    text_box, contents = page.locator("main").bounding_box(), page.locator("nav").bounding_box()
    assert contents["x"] + contents["width"] <= text_box["x"]


def test_contents_follow_the_scroll(page):
    current = page.locator("#contents [aria-current]")
    assert current.all_inner_texts() == ["00 The answer"]
    for name in ("Part 2", "Part 3", "Part 1"):
        page.get_by_role("heading", name=name).evaluate("part => part.scrollIntoView()")
        eventually(page, lambda name=name: current.all_inner_texts() == [name])
        assert current.is_visible()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    eventually(page, lambda: current.all_inner_texts() == ["A2 Last"])
    assert not page.locator("#contents a", has_text="Part 1").is_visible()


def test_contents_lead_to_a_part_and_headings_to_themselves(page):
    page.locator("#contents a", has_text="A1 On trial").click()
    heading = page.get_by_role("heading", name="A1 On trial")
    assert 0 <= heading.bounding_box()["y"] < 100
    page.get_by_role("heading", name="Part 1").get_by_role("link").click()
    assert page.url.endswith("#nb-00_first--part-1")
    page.get_by_role("link", name="Next: A1 On trial").click()
    assert page.url.endswith("#nb-A1_trial")


def test_one_switch_folds_all_code_and_each_unfolds_with_a_click(page):
    switch = page.get_by_role("switch", name="Fold all code")
    shown = page.get_by_text("# a comment")
    hidden = page.get_by_text("hidden = 1")
    assert shown.is_visible() and not hidden.is_visible()
    page.locator("summary", has_text="Code").first.click()
    assert hidden.is_visible()
    switch.check()
    assert page.locator("details.input[open]").count() == 0 and not shown.is_visible()
    switch.uncheck()
    assert shown.is_visible() and not hidden.is_visible()


def test_a_notebook_is_downloaded_as_it_was_before_a_run(page, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this notebook").nth(2).click()
    assert download.value.suggested_filename == "A2_last.ipynb"
    download.value.save_as(tmp_path / "it.ipynb")
    assert nbformat.read(tmp_path / "it.ipynb", 4).cells[0].source == "# Last\n\nThe end."


def test_the_ledger_is_filtered_by_verdict_section_and_words(page):
    rows = page.locator("tr[data-claim]:visible")
    said, all_rows = page.locator("#ledger-filter output"), rows.count()
    assert said.inner_text() == f"{all_rows} of {all_rows} claims" and all_rows == 20
    page.get_by_label("Verdict").select_option("SUPPORTED")
    supported = rows.count()
    assert 0 < supported < all_rows
    assert set(rows.evaluate_all("rows => rows.map(r => r.dataset.verdict)")) == {"SUPPORTED"}
    assert said.inner_text() == f"{supported} of {all_rows} claims"
    page.get_by_label("Section").select_option("ours")
    assert 0 < rows.count() < supported
    page.get_by_label("Verdict").select_option("")
    page.get_by_label("Words").fill("hidden LAYER")
    texts = rows.evaluate_all("rows => rows.map(r => r.textContent.toLowerCase())")
    assert texts and all("hidden" in t and "layer" in t for t in texts)
    page.get_by_label("Words").fill("no claim has these words")
    assert rows.count() == 0 and not page.locator("#table-1").is_visible()
    page.evaluate("location.hash = 'claim-C1b'")  # a link to a row brings it back
    eventually(page, page.locator("#claim-C1b").is_visible)
    assert rows.count() == all_rows


def test_a_row_opens_by_keyboard_to_what_is_known(page):
    row = page.locator("#claim-H3")
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    assert row.get_by_text("Reason.").is_visible() and row.get_by_text("Prediction.").is_visible()


# The lottery -------------------------------------------------------------------------------------


def table(page, name):
    return page.locator(f"#lottery .{name} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def test_the_lottery_begins_with_what_was_published(page):
    assert [row[1] for row in table(page, "modes")] == [
        "88.25", "88.55", "88.14", "88.46", "88.29", "88.68",
    ]  # fmt: skip
    sentences = table(page, "sentences")
    assert len(sentences) == 1 + len(compared())
    assert {(now, held) for now, _, held, _ in sentences} == {("true", "–")}
    assert "0.13" in sentences[0][3]


def test_draws_by_keyboard_are_shown_counted_and_announced(page):
    said = page.locator("#lottery [role=status]")
    page.get_by_role("button", name="Draw", exact=True).focus()
    page.keyboard.press("Enter")
    modes = [
        [name, float(percent), int(place)] for name, percent, _, place, _ in table(page, "modes")
    ]
    best = max(modes, key=lambda mode: mode[1])
    assert best[2] == 1 and f"{best[0]} is first with {best[1]:.2f} %" in said.inner_text()
    accuracy = {name: percent for name, percent, _ in modes}
    higher = accuracy["custom BN"] > accuracy["no normalization"]
    (c1a,) = (row for row in table(page, "sentences") if "(C1a)" in row[1])
    assert c1a[0] == str(higher).lower() and c1a[2].startswith(f"{higher:d} of 1 (")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "Draw 101 with 1 seed per mode" in said.inner_text()
    assert all(" of 101 (" in row[2] for row in table(page, "sentences"))
    widths = page.locator(".modes td > div").evaluate_all("bars => bars.map(b => b.style.width)")
    assert len(set(widths)) > 1


def test_with_more_seeds_the_ranking_settles(page):
    said = page.locator("#lottery [role=status]")
    page.get_by_label("1", exact=True).focus()
    for seeds in ("3", "10", "30"):
        page.keyboard.press("ArrowRight")
        assert f"Draw 1 with {seeds} seeds per mode" in said.inner_text()
    first = table(page, "modes")
    page.get_by_role("button", name="Draw 100 times").click()
    assert [row[:4] for row in table(page, "modes")] == [row[:4] for row in first]
    for now, _, held, exact in table(page, "sentences"):
        share = "100\u00a0%" if now == "true" else "0\u00a0%"
        assert exact == share and f"({share})" in held
    page.get_by_role("button", name="Start again").click()
    assert said.inner_text().startswith("As published: TensorFlow's LN is first with 88.68 %")
    assert {row[2] for row in table(page, "sentences")} == {"–"}


def test_bars_move_only_where_motion_is_welcome(browser, file, page):
    duration = "bar => getComputedStyle(bar).transitionDuration"
    assert page.locator(".modes td > div").first.evaluate(duration) == "0s"
    with opened(browser, file, reduced_motion="no-preference") as other:
        assert other.locator(".modes td > div").first.evaluate(duration) != "0s"


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


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
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
        assert page.locator("#lottery").is_visible() and re.match("What", page.title())
        page.evaluate(OPEN_ALL)
        assert faults(page) == []
