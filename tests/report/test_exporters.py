"""Both exporters on a made notebook: whole, offline, accessible, the same twice."""

import json
import re
from base64 import b64decode

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pages import Page, check_page, made, merged

from report import exporters


@pytest.fixture(scope="module")
def html():
    return exporters.HTMLReport().from_notebook_node(merged())[0]


def test_html_is_one_offline_page_with_captions_and_contents(html):
    page, ids = check_page(html)
    assert {"figure-a3", "table-1", "nb-00_first", "nb-01_other"} <= set(ids)
    assert page.all("math") and page.all("figcaption")
    assert page.all("html")[0]["lang"] == "en" and page.all("main") and page.all("nav")
    links = [a.get("href") for a in page.all("a")]
    assert "#nb-01_other" in links and "#nb-00_first--below" in links


def test_html_folds_what_is_tagged_and_keeps_the_rest(html):
    folded, shown = re.findall(r"<details class=.input.( open)?>(.*?)</details>", html, re.S)
    assert folded[0] == "" and "HIDDEN" in folded[1] and ">Code<span>, 1 line<" in folded[1]
    assert shown[0] == " open" and "SHOWN" in shown[1]
    assert html.count("HIDDEN") == 1 and "NOISE" not in html
    for text in ("SHOWN", "printed", "What we see.", "Two rows."):
        assert text in html


def test_what_jupyterlab_shows_may_be_folded_on_the_page_and_is_not_in_the_paper():
    cell = new_code_cell("FOLDED = 1", execution_count=1, metadata={"tags": ["fold-input"]})
    made = exporters.HTMLReport().from_notebook_node(new_notebook(cells=[cell]))[0]
    assert re.search(r"<details class=.input.>(?:(?!</details>).)*FOLDED", made, re.S)
    cell.metadata.tags = []
    made = exporters.HTMLReport().from_notebook_node(new_notebook(cells=[cell]))[0]
    assert re.search(r"<details class=.input. open>(?:(?!</details>).)*FOLDED", made, re.S)


def test_html_has_permalinks_steps_and_tables_that_scroll_under_their_captions(html):
    page = Page(html)
    links = [(a.get("class"), a.get("rel"), a["href"]) for a in page.all("a")]
    assert ("permalink", None, "#nb-00_first--below") in links
    assert (None, "next", "#nb-01_other") in links and (None, "prev", "#nb-00_first") in links
    assert {"class": "table", "id": "table-1"} in page.all("figure") and not page.all("caption")
    (scroll,) = [div for div in page.all("div") if div.get("class") == "scroll"]
    assert scroll == {
        "class": "scroll", "tabindex": "0", "role": "group", "aria-label": "Table 1",
    }  # fmt: skip


def test_html_has_each_notebook_as_it_is_before_a_run(html):
    files = {a["download"]: a["href"] for a in Page(html).all("a") if "download" in a}
    assert list(files) == ["00_first.ipynb", "01_other.ipynb"]
    notebook = nbformat.reads(b64decode(files["00_first.ipynb"].partition(",")[2]), 4)
    sources = [cell.source for cell in notebook.cells]
    assert sources == [cell.source for cell in made().cells]
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    assert json.dumps(notebook).count('"execution_count": null') == 2


EXPORTERS = [exporters.HTMLReport, exporters.PDFReport]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_bad_tex_is_shown_as_tex_and_named(exporter, caplog):
    notebook = made(formula=r"$$\frac{1}{$$")
    _, resources = exporter().from_notebook_node(notebook, {"metadata": {"name": "n"}})
    assert resources["warnings"] == [
        r"n.ipynb, text, `# First title`: no valid TeX math: \frac{1}{"
    ]
    assert caplog.messages == resources["warnings"]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_picture_without_alt_text_has_one_that_says_so(exporter):
    notebook = made()
    notebook.cells[1].outputs[0].metadata = {}
    page, resources = exporter().from_notebook_node(notebook, {"metadata": {"name": "n"}})
    cell = "n.ipynb, cell 1, `HIDDEN = 1`"
    assert resources["warnings"] == [f"{cell}: a picture has no alternative text"]
    if exporter is exporters.HTMLReport:
        alt = f"A picture without a description, in {cell}"
        assert [image["alt"] for image in Page(page).all("img")] == [alt]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_what_is_whole_warns_of_nothing(exporter):
    assert exporter().from_notebook_node(merged())[1]["warnings"] == []


def test_a_header_over_the_names_of_rows_is_not_empty():
    table = pd.DataFrame({"mean": [0.1]}, index=["before"]).to_html()
    output = new_output("display_data", {"text/html": table})
    cell = new_code_cell("table", outputs=[output])
    page, _ = exporters.HTMLReport().from_notebook_node(new_notebook(cells=[cell]))
    assert len(Page(page).all("th")) == 3 and '<span class="unseen">row</span></th>' in page


def test_no_line_breaks_within_a_number_or_before_a_percent_sign():
    text = "of 60 000 images 95 % from N(0, 0.1²), seeds 7 and 200 of\n(+1 000) at 5\n%"
    page, _ = exporters.HTMLReport().from_notebook_node(
        new_notebook(cells=[new_markdown_cell(text)])
    )
    (shown,) = re.findall("<p>(of.*?)</p>", page, re.S)
    expected = "of 60~000 images 95~% from N(0,~0.1²), seeds 7 and 200 of (+1~000) at 5~%"
    assert " ".join(shown.replace("\u00a0", "~").split()) == expected


def test_html_is_the_same_twice():
    notebook = merged()
    first, second = (exporters.HTMLReport().from_notebook_node(notebook)[0] for _ in range(2))
    assert first == second


def test_html_of_code_that_has_a_picture_in_it_shows_that_code():
    source = 'src="data:image/svg+xml;base64,PHN2Zz4="'
    page, _ = exporters.HTMLReport().from_notebook_node(new_notebook(cells=[new_code_cell(source)]))
    assert "base64,PHN2Zz4=" in page


def test_pdf_is_the_same_bytes_twice():
    first, second = (exporters.PDFReport().from_notebook_node(merged())[0] for _ in range(2))
    assert first == second and first.startswith(b"%PDF")
    assert b"pdfuaid" in first  # it says that it is PDF/UA, and typst refuses to say so wrongly
