"""What Jupyter's own exports do besides where the lab is installed; report/jupyter/ names it.

`html`, `pdf` and `webpdf` stay nbconvert's, with a preprocessor of ours: had we registered
exporters under these names, which one nbconvert takes would be chance.
"""

import os
import shutil
from html import escape
from importlib.util import find_spec
from pathlib import Path

import pypandoc
from nbconvert.exporters import LatexExporter, PDFExporter, WebPDFExporter
from nbconvert.filters import get_metadata
from nbconvert.preprocessors import Preprocessor
from nbconvert.utils.exceptions import ConversionException
from traitlets.config import Application


class AltTexts(Preprocessor):
    """Figures keep their alt texts in HTML; nbconvert's template drops those of PNG files."""

    def preprocess_cell(self, cell, resources, index):
        """Give each figure with an alt text a form in HTML, which the template prefers."""
        # Where HTML is sanitized, no image in it would be left.
        if not getattr(self.parent, "sanitize_html", False):
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
    """What `pdf`, `webpdf` and `latex` need from outside Python: found, or said to be missing."""

    def preprocess(self, nb, resources):
        """Show nbconvert the pandoc that pip installed; stop if something else is missing."""
        exporter = self.parent
        if isinstance(exporter, LatexExporter) and not shutil.which("pandoc"):
            os.environ["PATH"] += os.pathsep + str(Path(pypandoc.get_pandoc_path()).parent)
        if isinstance(exporter, PDFExporter) and not shutil.which(exporter.latex_command[0]):
            _stop("LaTeX", "pdf")
        if isinstance(exporter, WebPDFExporter) and not find_spec("playwright"):
            _stop("Playwright", "webpdf")
        return nb, resources


def _stop(missing: str, name: str):
    sentence = f"--to {name} needs {missing}, which is not installed: use --to lab-pdf instead."
    # A command ends with the sentence, and without a traceback; a server must not end.
    command = Application.initialized() and Application.instance().name == "jupyter-nbconvert"
    raise SystemExit(sentence) if command else ConversionException(sentence)


def _jupyter_server_extension_points():
    return [{"module": __name__}]


def _load_jupyter_server_extension(server):
    """Let JupyterLab's menu reach `lab-html` and `lab-pdf`.

    It lists them, but the server's address of an export allows no hyphen.
    """
    from jupyter_server.base.handlers import path_regex
    from jupyter_server.nbconvert.handlers import NbconvertFileHandler

    address = rf"{server.base_url}nbconvert/(?P<format>lab-html|lab-pdf){path_regex}"
    server.web_app.add_handlers(".*$", [(address, NbconvertFileHandler)])
