"""What the page can do, in a real browser: contents, code, downloads, the ledger, the lottery."""

import nbformat
from browser import eventually, opened

from report.study.replication_lottery import compared


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
