"""What Jupyter's own exports do besides where the lab is installed; report/jupyter/ names it.

`html`, `pdf` and `webpdf` stay nbconvert's, with a preprocessor of ours: had we registered
exporters under these names, which one nbconvert takes would be chance. It reads preprocessors from
the configuration of its templates too, and merges every `templates/base/conf.json` that it finds;
so no `jupyter_config.json` need be ours, of which an environment has but one.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from html import escape
from importlib.util import find_spec
from pathlib import Path

import pypandoc
from nbconvert.exporters import PDFExporter, WebPDFExporter
from nbconvert.filters import get_metadata
from nbconvert.preprocessors import Preprocessor
from nbconvert.utils.exceptions import ConversionException
from traitlets.config import Application


class AltTexts(Preprocessor):
    """Figures keep their alt texts in HTML; nbconvert's template drops those of PNG files."""

    def preprocess_cell(self, cell, resources, index):
        """Give each figure with an alt text a form in HTML, which the template prefers."""
        # Exporters of HTML alone say whether they sanitize; where they do, no image would be left.
        if resources.get("should_sanitize_html") is False:
            for output in cell.get("outputs", []):
                png = output.get("data", {}).get("image/png")
                alt = get_metadata(output, "alt", "image/png")
                if png and alt:
                    width = get_metadata(output, "width", "image/png")
                    size = f' width="{width}"' if width else ""
                    source = f"data:image/png;base64,{png}"
                    output.data["text/html"] = f'<img alt="{escape(alt)}"{size} src="{source}">'
        return cell, resources


class Requirements(Preprocessor):
    """What exports need from outside Python: found, or said to be missing."""

    def preprocess(self, nb, resources):
        """Show nbconvert the pandoc that pip installed; stop if something else is missing."""
        # A template's preprocessor has no parent; a command's exporter is its application's.
        app = Application.instance() if Application.initialized() else None
        exporter = self.parent or getattr(app, "exporter", None)
        if not shutil.which("pandoc"):
            os.environ["PATH"] += os.pathsep + str(Path(pypandoc.get_pandoc_path()).parent)
        if isinstance(exporter, PDFExporter) and not shutil.which(exporter.latex_command[0]):
            _stop("LaTeX", "pdf")
        downloads = getattr(exporter, "allow_chromium_download", False)
        if isinstance(exporter, WebPDFExporter) and not (downloads or _chromium_starts()):
            _stop("Playwright's Chromium", "webpdf")
        return nb, resources


def _chromium_starts() -> bool:
    """Whether Playwright has a Chromium of its own: nbconvert takes no other."""
    if not find_spec("playwright"):
        return False
    from playwright.sync_api import Error, sync_playwright

    def start() -> bool:
        with sync_playwright() as playwright:
            try:
                playwright.chromium.launch().close()
            except Error:
                return False
            return True

    with ThreadPoolExecutor(1) as thread:  # in which no event loop runs
        return thread.submit(start).result()


def _stop(missing: str, name: str):
    sentence = f"--to {name} needs {missing}, which is not installed: use --to lab-pdf instead."
    # A command ends with the sentence, and without a traceback; a server must not end.
    command = Application.initialized() and Application.instance().name == "jupyter-nbconvert"
    raise SystemExit(sentence) if command else ConversionException(sentence)


def _jupyter_server_extension_points():
    return [{"module": __name__}]


def _load_jupyter_server_extension(server):
    """Let JupyterLab's menu reach `lab-html` and `lab-pdf`, and say what others lack.

    It lists them, but the server's address of an export allows no hyphen.
    """
    from jupyter_server.base.handlers import path_regex
    from jupyter_server.nbconvert.handlers import NbconvertFileHandler

    for exporter in ("PDFExporter", "WebPDFExporter"):
        section = server.config[exporter]
        section.preprocessors = [*section.get("preprocessors", []), Requirements]
    address = rf"{server.base_url}nbconvert/(?P<format>lab-html|lab-pdf){path_regex}"
    server.web_app.add_handlers(".*$", [(address, NbconvertFileHandler)])
