"""nbconvert's own exporters, with what the lab's installation adds to them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbconvert.exporters import (
    HTMLExporter,
    LatexExporter,
    MarkdownExporter,
    PDFExporter,
    SlidesExporter,
    WebPDFExporter,
)
from nbconvert.preprocessors import Preprocessor
from nbconvert.utils import pandoc
from nbconvert.utils.exceptions import ConversionException
from pages import Page, made
from traitlets.config import Config

from report import jupyter_exports

SETTINGS = Path(jupyter_exports.__file__).parent / "jupyter"


@pytest.fixture(autouse=True)
def installed(monkeypatch, tmp_path):
    """Jupyter's data of an environment with the report, and no other."""
    base = tmp_path / "share" / "nbconvert" / "templates" / "base"
    base.mkdir(parents=True)
    shutil.copy(SETTINGS / "conf.json", base)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))


@pytest.fixture
def server():
    """A server that loaded the extension, and the addresses that were added to it."""
    added = []
    app = SimpleNamespace(add_handlers=lambda host, handlers: added.extend(handlers))
    server = SimpleNamespace(base_url="/at/", web_app=app, config=Config())
    server.config.PDFExporter.preprocessors = [_Readers]
    jupyter_exports._load_jupyter_server_extension(server)
    return server, added


class _Readers(Preprocessor):
    """A preprocessor of the reader's."""

    def preprocess(self, nb, resources):
        """Put a mark on the notebook."""
        nb.metadata.seen = True
        return nb, resources


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No program of the machine's: no LaTeX, no pandoc."""
    monkeypatch.setenv("PATH", str(tmp_path))
    pandoc.clean_cache()


def images(source):
    return Page(source).all("img")


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_html_and_slides_keep_alt_texts_and_widths(exporter):
    notebook = made()
    notebook.cells[1].outputs[0].metadata["image/png"]["width"] = 620
    (image,) = images(exporter().from_notebook_node(notebook)[0])
    assert image["alt"] == 'An "alt" text' and image["width"] == "620"
    assert image["src"].startswith("data:image/png;base64,")
    assert "text/html" not in notebook.cells[1].outputs[0].data


def test_a_figure_without_an_alt_text_is_left_to_nbconvert():
    notebook = made()
    notebook.cells[1].outputs[0].metadata = {}
    (image,) = images(HTMLExporter().from_notebook_node(notebook)[0])
    assert image["alt"].startswith("No description")


def test_sanitized_html_keeps_its_figures():
    page = HTMLExporter(sanitize_html=True).from_notebook_node(made())[0]
    assert len(images(page)) == 1 and "&lt;img" not in page


def test_other_formats_keep_their_pictures():
    text, resources = MarkdownExporter().from_notebook_node(made())
    assert "<img" not in text and len(resources["outputs"]) == 1


def test_a_reader_keeps_preprocessors_of_their_own():
    config = Config(HTMLExporter={"preprocessors": [_Readers]})
    exporter = HTMLExporter(config=config)
    page, _ = exporter.from_notebook_node(made())
    assert images(page)[0]["alt"] == 'An "alt" text'
    assert any(isinstance(one, _Readers) for one in exporter._preprocessors)


@pytest.mark.filterwarnings("ignore:Your element with mimetype")  # a table without a TeX form
def test_latex_finds_the_pandoc_that_pip_installed(bare):
    text, _ = LatexExporter().from_notebook_node(made())
    assert r"\section{First title}" in text


@pytest.mark.parametrize(
    ("exporter", "missing"), [(PDFExporter, "LaTeX"), (WebPDFExporter, "Playwright's Chromium")]
)
def test_in_a_server_a_pdf_that_cannot_be_is_an_error_with_a_remedy(
    server, bare, monkeypatch, exporter, missing
):
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", "/nowhere")
    with pytest.raises(ConversionException, match=f"needs {missing}, .* use --to lab-pdf"):
        exporter(config=server[0].config).from_notebook_node(made())


def test_without_playwright_there_is_no_chromium_of_its(monkeypatch):
    monkeypatch.setattr(jupyter_exports, "find_spec", lambda name: None)
    assert not jupyter_exports._chromium_starts()


def test_whoever_lets_nbconvert_download_chromium_is_not_stopped(server, monkeypatch):
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", "/nowhere")
    config = server[0].config
    config.WebPDFExporter.allow_chromium_download = True
    monkeypatch.setattr(WebPDFExporter, "run_playwright", lambda self, html: b"%PDF")
    assert WebPDFExporter(config=config).from_notebook_node(made())[0] == b"%PDF"


LAUNCH = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch()
"""


@pytest.mark.slow
def test_webpdf_works_where_playwright_has_its_chromium(server, monkeypatch, tmp_path):
    from browser import PROGRAM  # which skips where there is none

    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    # In a process of its own: the tests of the page may have a browser open in this one.
    done = subprocess.run([sys.executable, "-c", LAUNCH], capture_output=True, text=True)
    assert "Executable doesn't exist" in done.stderr
    place, *_ = map(Path, re.findall(rf"{tmp_path}/\S+", done.stderr))
    place.parent.mkdir(parents=True)
    place.symlink_to(PROGRAM)
    pdf, _ = WebPDFExporter(config=server[0].config).from_notebook_node(made())
    assert pdf.startswith(b"%PDF")


def test_the_server_exports_with_a_hyphen(server):
    settings = json.loads((SETTINGS / "normlib_report.json").read_text())
    assert settings["ServerApp"]["jpserver_extensions"] == {jupyter_exports.__name__: True}
    assert jupyter_exports._jupyter_server_extension_points() == [
        {"module": jupyter_exports.__name__}
    ]
    ((address, _),) = server[1]
    found = re.fullmatch(address, "/at/nbconvert/lab-pdf/sub/x.ipynb")
    assert found.groupdict() == {"format": "lab-pdf", "path": "/sub/x.ipynb"}
