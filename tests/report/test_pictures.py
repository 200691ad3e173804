"""Drawings take a PNG's place, keep its shapes, and have colours for a dark page."""

import re
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import unquote

import matplotlib.pyplot as plt
import pytest
from hostile import code, data
from nbformat.v4 import new_notebook
from pages import Page, picture

from report import exporters, pictures
from report.study import figures

ROOT = Path(__file__).parents[2]
DRAWINGS = sorted((ROOT / "report" / "figures").glob("*.svg"))
METADATA = {pictures.PNG: {"alt": "A line", "width": 620}}


def saved(folder, png):
    """A folder with this PNG and a drawing beside it."""
    (folder / "figure-1.png").write_bytes(b64decode(png))
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot([1, 3, 2], color="#0173b2")
    figure.savefig(folder / "figure-1.svg")
    plt.close(figure)


def test_the_drawing_of_the_very_same_picture_takes_its_place(tmp_path):
    notebook = new_notebook(cells=[code(data(METADATA, **{pictures.PNG: picture()}))])
    saved(tmp_path, picture())
    pictures.draw(notebook, [tmp_path])
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == set(output.metadata) == {pictures.SVG}
    assert output.metadata[pictures.SVG] == METADATA[pictures.PNG]
    page, resources = exporters.HTMLReport().from_notebook_node(notebook)
    assert resources["warnings"] == []
    (image,) = Page(page).all("img")
    address, _, drawing = image.pop("src").partition(",")
    assert address == "data:image/svg+xml" and "<" not in drawing
    assert unquote(drawing) == output.data[pictures.SVG]
    assert image.items() >= {"alt": "A line", "width": "620", "height": "310"}.items()


@pytest.mark.parametrize("png", [b64encode(b"another").decode(), "no base 64", ""])
def test_another_picture_keeps_its_place(tmp_path, png):
    notebook = new_notebook(cells=[code(data(METADATA, **{pictures.PNG: png}))])
    saved(tmp_path, picture())
    pictures.draw(notebook, [tmp_path, tmp_path / "none"])
    assert notebook.cells[0].outputs[0].data == {pictures.PNG: png}


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_a_drawing_loses_no_shape_and_half_of_its_bytes(file):
    before = file.read_text("utf-8")
    after = pictures.page_coloured(before)
    for tag in ("<path", "<use", "<image", "<clipPath"):
        assert before.count(tag) == after.count(tag)
    uses = set(re.findall(r'(?:href="|url\()#(\w+)', after))
    assert uses == set(re.findall(r' id="(\w+)"', after))
    assert len(after) < 0.7 * len(before) or "<image" in before
    colours = set(re.findall(r"#[0-9a-f]{6}\b", before))
    assert not re.search(r'style="[^"]*#', after)
    assert all(f":{colour}" in after for colour in colours)


def test_numbers_are_rounded_where_no_eye_sees_it():
    numbers = "M 12.3456 -0.0449 scale(0.015625) 1.0000001"
    assert pictures._rounded(numbers) == "M 12.3 -0.0449 scale(0.01562) 1"


def test_white_is_the_page_and_every_colour_of_ours_can_be_seen_on_it():
    style = (ROOT / "report" / "templates" / "report.css").read_text()
    assert f"--page: {pictures.PAGE};" in style
    assert pictures.dark_partner("#ffffff") == pictures.PAGE
    assert pictures.contrast("#ffffff", "#000000") == pytest.approx(21)
    for colour in {figures.GREY, *figures.COLORS.values(), "#000000", "#262626"}:
        assert pictures.contrast(pictures.dark_partner(colour), pictures.PAGE) > 4.49
    assert pictures.dark_partner("#d55e00") == "#d55e00"  # a colour that is seen stays itself
