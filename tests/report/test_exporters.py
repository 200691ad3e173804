"""Both exporters on a made notebook: whole, offline, accessible, the same twice."""

import pytest
from pages import Page, check_page, made, merged

from report import exporters


@pytest.fixture(scope="module")
def html():
    return exporters.HTMLReport().from_notebook_node(merged())[0]


def test_html_is_one_offline_page_with_captions_and_contents(html):
    page, ids = check_page(html)
    assert {"figure-a3", "table-1", "nb-00_first", "nb-01_other"} <= set(ids)
    assert page.all("math") and page.all("figcaption") and page.all("caption")
    assert page.all("html")[0]["lang"] == "en" and page.all("main") and page.all("nav")
    links = [a.get("href") for a in page.all("a")]
    assert "#nb-01_other" in links and "#nb-00_first--below" in links


def test_html_hides_what_is_tagged_and_keeps_the_rest(html):
    assert "HIDDEN" not in html and "NOISE" not in html
    for text in ("SHOWN", "printed", "What we see.", "Two rows."):
        assert text in html


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


def test_pdf_is_the_same_bytes_twice():
    first, second = (exporters.PDFReport().from_notebook_node(merged())[0] for _ in range(2))
    assert first == second and first.startswith(b"%PDF")
    assert b"pdfuaid" in first  # it says that it is PDF/UA, and typst refuses to say so wrongly
