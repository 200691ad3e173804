"""The talk: ten slides on the report's figures, written by hand in templates/slides.typ."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from report.exporters import typeset
from report.page import TEMPLATES

COMMITTED = Path(__file__).parent / "figures"


def make(figures: Path) -> bytes:
    """The PDF of the slides, with the figures of that folder, else the published ones.

    `ReportError` if a figure is in neither.
    """
    with TemporaryDirectory() as folder:
        source = Path(shutil.copy(TEMPLATES / "slides.typ", folder))
        for origin in filter(Path.exists, (COMMITTED, figures)):
            shutil.copytree(origin, source.parent / "figures", dirs_exist_ok=True)
        return typeset(source)
