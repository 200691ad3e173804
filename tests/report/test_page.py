"""What the page adds: its scripts and their policy, the ledger's rows, the lottery's runs."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from hostile import code, data
from made_runs import noise
from made_world import whole
from nbformat.v4 import new_notebook
from pages import Page, check_scripts

from report import exporters, page, page_data
from report.study import archive
from report.study.claims import verdicts

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MOST_BYTES = 20_000  # of all scripts

ROWS = "".join(
    f"<tr><td>{name}</td><td>words of {name}</td><td>{verdict}</td></tr>"
    for name, verdict in (("H1", "REFUTED"), ("C1a", "SUPPORTED"), ("X9", "–"))
)
TABLE = (
    "<table><thead><tr><th>id</th><th>claim</th><th>verdict</th></tr></thead>"
    f"<tbody>{ROWS}</tbody></table>"
)


def tagged(tag, *outputs):
    cell = code(*outputs)
    cell.metadata.tags = [tag]
    return cell


def widgets():
    """A notebook with a table of claims and the cell of the lottery."""
    caption = data(text_markdown="**Table 1.** Three claims.")
    cells = [
        tagged(page_data.LEDGER, caption, data(text_html=TABLE)),
        tagged(page_data.LOTTERY, data(text_markdown="The static figure.")),
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def records(monkeypatch):
    """The made archive that the page reads."""
    found = whole(none=noise(1), wn=noise(2))
    monkeypatch.setattr(archive, "read", lambda folders: found)
    return found


def test_scripts_are_short_and_know_no_other_place():
    text = page.script()
    assert len(text.encode()) <= MOST_BYTES
    assert not re.search(r"https?:|fetch|XMLHttp|WebSocket|import|eval|innerHTML|insertAdj", text)
    assert "</script" not in text and "<!--" not in text  # which would end it, or hide its end


def test_data_cannot_end_their_element():
    hostile = {"text": "</script><script>alert(1)</script><!--"}
    made = page.with_scripts("<body></body>", hostile)
    assert made.count("<script") == 2 and "<!--" not in made
    assert json.loads(page.as_script(hostile)) == hostile


def test_a_ledgers_rows_open_to_what_is_known_of_their_claims(records):
    html, resources = exporters.HTMLReport().from_notebook_node(widgets())
    assert resources["warnings"] == []
    assert check_scripts(html) == page.script()
    ledger = verdicts.ledger(records).set_index("id")
    rows = [row for row in Page(html).all("tr") if "data-claim" in row]
    assert [(row["id"], row["data-section"], row["data-verdict"]) for row in rows] == [
        (f"claim-{name}", ledger.section[name], ledger.verdict[name]) for name in ("H1", "C1a")
    ]
    opened = re.findall(r"<td[^>]*><details><summary>(.*?)</summary>(.*?)</details>", html, re.S)
    assert [summary.strip() for summary, _ in opened] == ["words of H1", "words of C1a"]
    parts = [re.findall(r"<strong>(.*?)</strong>", text) for _, text in opened]
    shown = ["Found.", "Reason.", "Prediction."]
    assert parts == [shown, ["Tested.", *shown]]
    assert 'id="ledger-filter"' in html and 'id="lottery"' in html
    assert html.index('id="lottery"') < html.index("The static figure.")


def test_what_was_found_is_said_beside_a_verdict_that_leaves_it_unsaid():
    found = page_data.claims(verdicts.ledger(archive.read([archive.COMMITTED])))
    assert found["H12"]["verdict"] == "REFUTED"
    assert dict(found["H12"]["more"])["Found."] == "Higher, but within 0.2 points."
    assert "Found." not in dict(found["C21"]["more"])


def test_an_amendment_is_said_with_the_first_verdict(records):
    found = page_data.claims(verdicts.ledger(records))
    assert "Amendment." not in dict(found["H1"]["more"])
    said = dict(found["E8"]["more"])["Amendment."]
    assert said.startswith("2026-11-28: ") and said.endswith(" The first verdict was REFUTED.")


def test_without_runs_the_page_is_the_notebooks(monkeypatch):
    monkeypatch.setattr(archive, "read", lambda folders: {})
    html, resources = exporters.HTMLReport().from_notebook_node(widgets())
    (warning,) = resources["warnings"]
    assert warning.startswith("ledger and lottery are as in the notebook: ")
    assert "words of H1" in html and "The static figure." in html
    assert 'id="ledger-filter"' not in html and 'id="lottery"' not in html
    assert check_scripts(html) == page.script()


def test_a_notebook_without_claims_needs_no_archive(monkeypatch):
    monkeypatch.delattr(archive, "read")
    assert page_data.page_data(new_notebook(cells=[code()])) == ({"downloads": {}}, [])


def test_the_published_notebooks_have_a_ledger_and_one_lottery():
    cells = [c for f in NOTEBOOKS.glob("*.ipynb") for c in nbformat.read(f, 4).cells]
    tags = [tag for cell in cells for tag in cell.metadata.get("tags", [])]
    assert page_data.LEDGER in tags and tags.count(page_data.LOTTERY) == 1
