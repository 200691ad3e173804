"""Both exporters on a made notebook: whole, offline, accessible, the same twice."""

import pytest
from pages import check_page, made, merged

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


@pytest.mark.parametrize("exporter", [exporters.HTMLReport, exporters.PDFReport])
def test_bad_tex_stops_the_build(exporter):
    with pytest.raises(exporters.ReportError, match="TeX math"):
        exporter().from_notebook_node(made(formula=r"$$\frac{1}{$$"))


def test_pdf_is_the_same_bytes_twice():
    first, second = (exporters.PDFReport().from_notebook_node(merged())[0] for _ in range(2))
    assert first == second and first.startswith(b"%PDF")
    assert b"pdfuaid" in first  # it says that it is PDF/UA, and typst refuses to say so wrongly


def test_pdf_without_alt_text_is_refused():
    notebook = made()
    notebook.cells[1].outputs[0].metadata = {}
    with pytest.raises(Exception, match="alt"):
        exporters.PDFReport().from_notebook_node(notebook)
