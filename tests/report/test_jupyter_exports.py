"""nbconvert's own exporters, with what the lab's installation adds to them."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbconvert.exporters import (
    HTMLExporter,
    LatexExporter,
    PDFExporter,
    SlidesExporter,
    WebPDFExporter,
)
from nbconvert.utils import pandoc
from nbconvert.utils.exceptions import ConversionException
from pages import Page, made
from traitlets.config import Config

from report import jupyter_exports

SETTINGS = Path(jupyter_exports.__file__).parent / "jupyter"


@pytest.fixture
def config():
    return Config(json.loads((SETTINGS / "jupyter_config.json").read_text()))


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No program of the machine's: no LaTeX, no pandoc."""
    monkeypatch.setenv("PATH", str(tmp_path))
    pandoc.clean_cache()


def images(source):
    return Page(source).all("img")


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_html_and_slides_keep_alt_texts_and_widths(config, exporter):
    notebook = made()
    notebook.cells[1].outputs[0].metadata["image/png"]["width"] = 620
    (image,) = images(exporter(config=config).from_notebook_node(notebook)[0])
    assert image["alt"] == 'An "alt" text' and image["width"] == "620"
    assert image["src"].startswith("data:image/png;base64,")
    assert "text/html" not in notebook.cells[1].outputs[0].data


def test_a_figure_without_an_alt_text_is_left_to_nbconvert(config):
    notebook = made()
    notebook.cells[1].outputs[0].metadata = {}
    (image,) = images(HTMLExporter(config=config).from_notebook_node(notebook)[0])
    assert image["alt"].startswith("No description")


def test_sanitized_html_keeps_its_figures(config):
    config.HTMLExporter.sanitize_html = True
    page = HTMLExporter(config=config).from_notebook_node(made())[0]
    assert len(images(page)) == 1 and "&lt;img" not in page


@pytest.mark.filterwarnings("ignore:Your element with mimetype")  # a table without a TeX form
def test_latex_finds_the_pandoc_that_pip_installed(config, bare):
    text, _ = LatexExporter(config=config).from_notebook_node(made())
    assert r"\section{First title}" in text


@pytest.mark.parametrize(
    ("exporter", "missing"), [(PDFExporter, "LaTeX"), (WebPDFExporter, "Playwright")]
)
def test_in_a_server_a_pdf_that_cannot_be_is_an_error_with_a_remedy(
    config, bare, monkeypatch, exporter, missing
):
    monkeypatch.setattr(jupyter_exports, "find_spec", lambda name: None)
    with pytest.raises(ConversionException, match=f"needs {missing}, .* use --to lab-pdf"):
        exporter(config=config).from_notebook_node(made())


def test_the_server_exports_with_a_hyphen():
    settings = json.loads((SETTINGS / "normlib_report.json").read_text())
    assert settings["ServerApp"]["jpserver_extensions"] == {jupyter_exports.__name__: True}
    assert jupyter_exports._jupyter_server_extension_points() == [
        {"module": jupyter_exports.__name__}
    ]
    added = []
    app = SimpleNamespace(add_handlers=lambda host, handlers: added.extend(handlers))
    server = SimpleNamespace(base_url="/at/", web_app=app)
    jupyter_exports._load_jupyter_server_extension(server)
    ((address, _),) = added
    found = re.fullmatch(address, "/at/nbconvert/lab-pdf/sub/x.ipynb")
    assert found.groupdict() == {"format": "lab-pdf", "path": "/sub/x.ipynb"}
