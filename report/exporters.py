"""Executed notebooks to one HTML file and one PDF: pandoc reads them, typst sets the PDF.

`jupyter nbconvert --to lab-html notebook.ipynb` and `--to lab-pdf`; report/pyproject.toml
registers them.
"""

import subprocess
from importlib import resources as package_resources
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pypandoc
import typst
from nbconvert.exporters import Exporter
from nbconvert.utils.exceptions import ConversionException
from nbformat import NotebookNode
from traitlets import default

TEMPLATES = Path(str(package_resources.files("report"))) / "templates"
READER = "ipynb+raw_tex+header_attributes"


class ReportError(ConversionException):
    """Pandoc could not convert a notebook without warnings."""


class _PandocExporter(Exporter):
    """A notebook through pandoc and our filter; what comes after is the subclass's."""

    def from_notebook_node(self, nb: NotebookNode, resources=None, **kwargs):
        """Convert one executed notebook; raises ReportError for what pandoc warns about."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        name = resources.get("metadata", {}).get("name", "Report")
        title = nb.metadata.get("title", name)
        with TemporaryDirectory() as folder:
            nbformat.write(nb, Path(folder) / "notebook.ipynb")
            return self.convert(Path(folder), title), resources


class HTMLReport(_PandocExporter):
    """One HTML file that asks the network for nothing: MathML, an own math font, images inside."""

    export_from_notebook = "Lab report (HTML)"
    output_mimetype = "text/html"

    @default("file_extension")
    def _extension(self):
        return ".html"

    def convert(self, folder: Path, title: str) -> str:
        """The HTML of the notebook in `folder`."""
        return _pandoc(
            folder,
            title,
            "html5",
            "report.html",
            "--mathml",
            "--embed-resources",
            "--toc",
            "--toc-depth=3",
            "--shift-heading-level-by=1",
            f"--css={TEMPLATES / 'report.css'}",
        )


class PDFReport(_PandocExporter):
    """An accessible PDF (PDF/UA-1) on A4, the same bytes from the same notebook."""

    export_from_notebook = "Lab report (PDF)"
    output_mimetype = "application/pdf"

    @default("file_extension")
    def _extension(self):
        return ".pdf"

    def convert(self, folder: Path, title: str) -> bytes:
        """The PDF of the notebook in `folder`."""
        source = folder / "report.typ"
        source.write_text(
            _pandoc(folder, title, "typst", "report.typ", f"--extract-media={folder / 'media'}")
        )
        # No font of this machine and no date of today: the same bytes everywhere.
        return typst.compile(
            str(source), ignore_system_fonts=True, timestamp=0, pdf_standards=["ua-1"]
        )


def _pandoc(folder: Path, title: str, to: str, template: str, *options: str) -> str:
    command = [
        pypandoc.get_pandoc_path(),
        "notebook.ipynb",
        "--from",
        READER,
        "--ipynb-output=all",
        "--to",
        to,
        "--standalone",
        "--fail-if-warnings",
        f"--metadata=title:{title}",
        "--metadata=lang:en",
        f"--lua-filter={TEMPLATES / 'notebook.lua'}",
        f"--template={TEMPLATES / template}",
        f"--resource-path={TEMPLATES}",
        *options,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReportError(f"pandoc could not convert {title!r}: {done.stderr.strip()}")
    return done.stdout
