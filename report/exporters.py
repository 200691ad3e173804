"""Executed notebooks to one HTML file and one PDF: pandoc reads them, typst sets the PDF.

`jupyter nbconvert --to lab-html notebook.ipynb` and `--to lab-pdf`; report/pyproject.toml
registers them. What a cell shows and no page can have costs a warning, not the page.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pypandoc
from nbconvert.exporters import Exporter
from nbconvert.utils.exceptions import ConversionException
from nbformat import NotebookNode
from traitlets import default

from report import page, pictures
from report.cells import culprits, named
from report.page import TEMPLATES
from report.plain_text import clean, clean_source

CITATION = Path(__file__).parents[1] / "CITATION.cff"  # authors and date of the report
ASCII = {chr(code) for code in range(128)}
PAPER = (f"--lua-filter={TEMPLATES / 'paper.lua'}", "--wrap=none")
READER = "ipynb+raw_tex+header_attributes"
# In a process of its own, since a compiler that runs, or panics, heeds no signal. No font of this
# machine and no date of today: the same bytes everywhere.
TYPST = """import sys, typst
options = {"ignore_system_fonts": True, "timestamp": 0, "pdf_standards": ["ua-1"]}
"""
COMPILE = TYPST + "sys.stdout.buffer.write(typst.compile(sys.argv[1], **options))"
# An error of typst names but the first character that no font has.
LACKING = (
    TYPST
    + r"""for code in sys.argv[1:]:
    try:
        typst.compile(b'#set document(title: "x")\n\\u{%s}' % code.encode(), **options)
    except typst.TypstError:
        print(code)"""
)


class ReportError(ConversionException):
    """A notebook could not be converted, whatever was left out of it."""


class _PandocExporter(Exporter):
    """A notebook through pandoc and our filters; what comes after is the subclass's."""

    def from_notebook_node(self, nb: NotebookNode, resources=None, **kwargs):
        """Convert one executed notebook; `resources["warnings"]` names cells with a fallback."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        name = resources.get("metadata", {}).get("name", "Report")
        for cell in nb.cells:
            clean(cell)
            clean_source(cell)
            cell.metadata.setdefault("named", named(cell, f"{name}.ipynb"))
        nb.metadata.title = str(nb.metadata.get("title", name))
        made, warnings = self._convert(nb)
        for warning in warnings:
            self.log.warning(warning)
        return made, resources | {"warnings": warnings}

    def _convert(self, nb: NotebookNode) -> tuple[str | bytes, list[str]]:
        errors = {}

        def attempt(cells: list[NotebookNode]) -> tuple[str | bytes, list[str]]:
            with TemporaryDirectory() as folder:
                part = copy.copy(nb)
                part.cells = cells
                nbformat.write(part, Path(folder) / "notebook.ipynb")
                return self.convert(Path(folder), nb.metadata.title)

        def works(cells: list[NotebookNode]) -> bool:
            try:
                attempt(cells)
            except ReportError as error:
                errors[cells[0].metadata.named] = str(error)
                return False
            return True

        try:
            return attempt(nb.cells)
        except ReportError:
            found = culprits(nb.cells, works)
            if not found:
                raise
        warnings = []
        for cell in found:
            reason = " ".join(errors[cell.metadata.named].split())[:300]
            warnings.append(f"{cell.metadata.named}: shown without its outputs: {reason}")
            _replace(cell)
        made, others = attempt(nb.cells)
        return made, others + warnings

    def convert(self, folder: Path, title: str) -> tuple[str | bytes, list[str]]:
        """The notebook in `folder` converted, and what was warned about."""
        raise NotImplementedError


def _replace(cell: NotebookNode) -> None:
    """Leave of the cell its source, as code."""
    nothing = nbformat.v4.new_output(
        "stream", text="(The output of this cell could not be rendered.)"
    )
    plain = nbformat.v4.new_code_cell(cell.source, outputs=[nothing], metadata=cell.metadata)
    cell.update(plain)


class HTMLReport(_PandocExporter):
    """One HTML file that asks the network for nothing: MathML, an own math font, images inside."""

    export_from_notebook = "Lab report (HTML)"
    output_mimetype = "text/html"

    @default("file_extension")
    def _extension(self):
        return ".html"

    def _convert(self, nb: NotebookNode) -> tuple[str, list[str]]:
        from report.page_data import page_data  # here, since it takes a second to import

        pictures.draw(nb)
        self._data, missing = page_data(nb)
        made, warnings = super()._convert(nb)
        made = page.with_scripts(page.lighter(made), self._data.get("lottery"))
        return made, warnings + missing

    def convert(self, folder: Path, title: str) -> tuple[str, list[str]]:
        """The HTML of the notebook in `folder`, and what pandoc warned about."""
        (folder / "page.json").write_text(json.dumps(self._data), "utf-8")
        return _pandoc(
            folder,
            title,
            "html5",
            "report.html",
            f"--lua-filter={TEMPLATES / 'page.lua'}",
            "--mathml",
            "--embed-resources",
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

    def convert(self, folder: Path, title: str) -> tuple[bytes, list[str]]:
        """The PDF of the notebook in `folder`, and what pandoc and typst warned about."""
        source, options = folder / "report.typ", [*PAPER, f"--extract-media={folder / 'media'}"]
        text, warnings = _pandoc(folder, title, "typst", "report.typ", *options)
        source.write_text(text, "utf-8")
        try:
            return typeset(source), warnings
        except ReportError:
            lacking = _lacking(sorted(set(text) - ASCII))
            if not lacking:
                raise
            shown = title.translate(dict.fromkeys(map(ord, lacking), "\ufffd"))
            options.append(f"--metadata=lacking:{lacking}")
            text, _ = _pandoc(folder, shown, "typst", "report.typ", *options)
            source.write_text(text, "utf-8")
            warnings += [
                f"{cell.metadata.named}: no font of the PDF has {' '.join(found)[:100]}"
                for cell in nbformat.read(folder / "notebook.ipynb", 4).cells
                if (found := sorted(set(lacking) & set(json.dumps(cell, ensure_ascii=False))))
            ]
            return typeset(source), warnings


def _lacking(characters: list[str]) -> str:
    codes = [f"{ord(character):x}" for character in characters]
    done = subprocess.run([sys.executable, "-P", "-c", LACKING, *codes], capture_output=True)
    return "".join(chr(int(code, 16)) for code in done.stdout.split())


def typeset(source: Path) -> bytes:
    """An accessible PDF (PDF/UA-1) of typst's source: the same bytes on every day."""
    done = subprocess.run([sys.executable, "-P", "-c", COMPILE, source], capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ReportError(lines[-1] if lines else f"typst ended with code {done.returncode}")
    return done.stdout


def _pandoc(
    folder: Path, title: str, to: str, template: str, *options: str
) -> tuple[str, list[str]]:
    filters = ("cells", "notebook", "sections", "references", "front")
    command = [
        pypandoc.get_pandoc_path(),
        "notebook.ipynb",
        f"--from={READER}",
        "--ipynb-output=all",
        f"--to={to}",
        "--standalone",
        "--log=log.json",
        f"--metadata-file={CITATION}",
        f"--metadata=title:{title}",
        "--metadata=lang:en",
        *(f"--lua-filter={TEMPLATES / name}.lua" for name in filters),
        f"--template={TEMPLATES / template}",
        f"--resource-path={TEMPLATES}",
        *options,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReportError(f"pandoc could not convert {title!r}: {done.stderr.strip()}")
    log = json.loads((folder / "log.json").read_text("utf-8"))
    messages = (e.get("message") or e["pretty"] for e in log if e["verbosity"] == "WARNING")
    return done.stdout, [*dict.fromkeys(messages)]
