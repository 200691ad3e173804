"""Whatever a cell shows: both files are made, the page has nothing live, and a warning names it."""

import json
import re

import pytest
from hostile import ALT, CELLS, code, data, printed, text
from nbformat.v4 import new_notebook, new_raw_cell
from pages import Page, check_scripts, picture

from report import exporters
from report import page as own
from report.cells import merge

DOWNLOAD = r"data:application/x-ipynb\+json;base64,[\w+/=]+$"  # of a notebook, by our own link
EXPORTERS = [exporters.HTMLReport, exporters.PDFReport]


def both(*cells):
    """The HTML of these cells and the warnings; the PDF is made too, and warns of no less."""
    notebook = merge({"00_a": new_notebook(cells=[text("# Title"), *cells, text("The end.")])})
    page, resources = exporters.HTMLReport().from_notebook_node(notebook)
    pdf, more = exporters.PDFReport().from_notebook_node(notebook)
    assert pdf.startswith(b"%PDF") and b"pdfuaid" in pdf
    assert set(resources["warnings"]) <= set(more["warnings"])
    assert all(line.startswith("00_a.ipynb, ") for line in more["warnings"])
    assert "The end." in page
    check_harmless(page)
    return page, more["warnings"]


def check_harmless(source):
    assert check_scripts(source) == own.script()
    page = Page(source)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"iframe", "object", "embed", "form", "base", "link", "svg"}
    assert [a["http-equiv"] for a in page.all("meta") if "http-equiv" in a] == [
        "Content-Security-Policy"
    ]
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "srcdoc"]
        href = DOWNLOAD if "download" in attributes else r"#|https?:|mailto:|[\w./-]+$"
        assert re.match(href, attributes.get("href", "#"))
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert "(" not in attributes.get("style", "")
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert all(image["alt"].strip() for image in page.all("img"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_any_cell_has_a_page_a_pdf_and_a_warning_if_something_is_amiss(name):
    cell, shown, warned = CELLS[name]
    page, warnings = both(cell)
    assert shown in page
    if warned is None:
        assert warnings == []
    else:
        assert any(warned in line for line in warnings) or not warned


LIVE = [
    "<script>alert(1)</script>",
    "<SCRIPT src=https://x.org/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</script>",
    '<img src="data:image/png;base64,AAAA" onerror="alert(1)">',
    "<img src=x onerror=alert(1)//",
    '<b onclick="alert(1)" onmouseover=alert(1)>bold</b>',
    '<a href="javascript:alert(1)">a</a>',
    '<a href=" java\nscript:alert(1)">a</a>',
    '<a href="&#106;avascript&colon;alert(1)">a</a>',
    '<a href="JaVaScRiPt:alert(1)">a</a>',
    '<a href="data:text/html,<script>alert(1)</script>">a</a>',
    '<a href="vbscript:x">a</a>',
    '<iframe src="https://x.org" srcdoc="<script>alert(1)</script>"></iframe>',
    '<iFrAmE src="/etc/passwd">x</iframe>',
    '<object data="x.swf"></object><embed src="x.swf">',
    '<form action="https://x.org"><input name=a formaction="javascript:alert(1)"></form>',
    '<meta http-equiv="refresh" content="0;url=https://x.org"><base href="https://x.org/">',
    '<link rel="stylesheet" href="https://x.org/x.css"><style>@import "https://x.org";</style>',
    '<svg onload="alert(1)"><script>alert(1)</script></svg>',
    "<math><mtext><script>alert(1)</script></mtext></math>",
    '<p style="background: url(https://x.org/x.png)">p</p>',
    '<table onclick=alert(1)><tr onclick=alert(1)><td onclick=alert(1) id=main>x</table>',
    '<video src="https://x.org/x.mp4" onplay="alert(1)"></video><audio src=x></audio>',
    "<details ontoggle=alert(1) open><summary>s</summary>d</details>",
    '<div id="content" onclick="alert(1)">\n\n**d**\n</div></main>',
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
    "<!-- <script> --><script>alert(1)</script -->",
]  # fmt: skip


def showing(source):
    """Cells that show the source as text, as a page and as Markdown."""
    return [
        text(f"{source}\n\nIn a line {source} of text."),
        code(data(text_html=source, text_plain="x")),
        code(data(text_markdown=f"{source}\n\nIn a line {source} of text.")),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("source", LIVE)
def test_nothing_live_of_a_text_or_an_output_is_left(source):
    page, _ = both(*showing(source))
    assert "x.org" not in page.replace("https://x.org/x.png", "")


def test_nothing_live_is_left_of_many_at_once():
    page, _ = both(*(cell for source in LIVE for cell in showing(source)))
    assert "x.org" not in page.replace("https://x.org/x.png", "")


LIVE_TARGETS = [
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "java&#10;script:x", "&#1;javascript:x",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
]  # fmt: skip


def test_a_link_of_a_live_kind_is_its_text():
    texts = [f"[word{n}](<{target}>) <{target}>" for n, target in enumerate(LIVE_TARGETS)]
    page, _ = both(*map(text, texts))
    assert all(f"word{n}" in page for n in range(len(texts)))


def test_markup_keeps_its_meaning():
    page, warnings = both(
        text("H<sub>2</sub>O $x^2$ <b>bold</b>\n\n| a |\n|---|\n| `b` |\n\n```python\nx = 1\n```")
    )
    assert warnings == [] and "<sub>2</sub>" in page and "<strong>bold</strong>" in page
    assert "<msup>" in page and "<code>b</code>" in page and "sourceCode python" in page


def test_any_notebook_has_its_section():
    cells = {
        "my own.v2": [], "01_code": [code(source="# comment")], "02_raw": [new_raw_cell("x")],
        "03_setext": [text("Setext\n===")], "04_none": [],
    }  # fmt: skip
    notebook = merge({name: new_notebook(cells=own) for name, own in cells.items()})
    page, resources = exporters.HTMLReport().from_notebook_node(notebook)
    assert resources["warnings"] == []
    sections = [a["id"] for a in Page(page).all("h2") if a["id"].startswith("nb-")]
    assert [s for s in sections if "--" not in s] == [
        "nb-my-own-v2", "nb-01_code", "nb-02_raw", "nb-03_setext", "nb-04_none",
    ]  # fmt: skip
    assert exporters.PDFReport().from_notebook_node(notebook)[0].startswith(b"%PDF")
    assert "# comment</span>" in page


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_alone_any_notebook_of_any_name_is_exported(exporter, caplog):
    name = 'my *"best"* $notebook$_1 训练 a#b <c>'
    cells = [code(data(image_png=picture()), printed("first\x1b[0m")), text("### Three")]
    notebook = new_notebook(cells=cells)
    made, _ = exporter().from_notebook_node(notebook, {"metadata": {"name": name}})
    assert made and f"{name}.ipynb, cell 1, `show(1)`: {ALT}" in caplog.messages
    empty, _ = exporter().from_notebook_node(new_notebook())
    assert empty


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_same_bytes_with_every_fallback(exporter):
    notebook = new_notebook(cells=[cell for cell, *_ in list(CELLS.values())[:12]])
    first, second = (exporter().from_notebook_node(notebook)[0] for _ in range(2))
    assert first == second


def test_all_cells_in_one_report():
    page, warnings = both(*(cell for name, (cell, *_) in CELLS.items() if name != TORN))
    assert "panic" in page and len(warnings) > 10
    assert "shown without its outputs" not in json.dumps(warnings)


TORN = "a torn picture"  # of which typst makes no PDF


def test_a_cell_that_no_pdf_can_have_is_found_and_shown_without_its_outputs():
    page, warnings = both(*(CELLS[name][0] for name in ("headings", "emoji", TORN, "links")))
    (found,) = [line for line in warnings if "shown without its outputs" in line]
    assert "failed to decode image" in found and 'alt="torn"' in page
