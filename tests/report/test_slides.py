"""The slides: ten, brief, with the published figures and numbers of the tables that they name."""

import re
import shutil
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from pypdf import PdfReader

import lab
from report import exporters, slides

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "report"
SOURCE = (slides.TEMPLATES / "slides.typ").read_text("utf-8")
SLIDES = SOURCE.split("\n#slide(")[1:]
NUMBER = r"[+−]?\d+\.\d+(?: %)?|\d+ %"
every_slide = pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.split('"')[1])


def named(slide):
    """What is given to the slide by name: texts in quotation marks, several for its tables."""
    head = re.sub(r"\]\n*$|\)\[\n.*", "", slide, flags=re.S)
    found = re.findall(r"(\w+): (\(.*?\)|\".*?\"),?$", head, re.M)
    return {name: re.findall(r'"(.*?)"', text) for name, text in found}


def words(slide):
    """The words beside the figure."""
    return re.findall(r"[+−]?\w[\w'.]*", body(slide))


def body(slide):
    return slide.partition(")[\n")[2]


def file(table):
    name = table if table.endswith(".csv") else f"{table.lower().replace(' ', '-')}.csv"
    return REPORT / "tables" / name


def shown():
    """The alt text of each figure of the notebooks by its number."""
    notebooks = [nbformat.read(path, 4) for path in (ROOT / "notebooks").glob("*.ipynb")]
    outputs = [o for n in notebooks for c in n.cells for o in c.get("outputs", [])]
    return {
        re.match(r"\*\*(.*?)\.\*\*", caption.data["text/markdown"])[1]: picture.metadata["alt"]
        for picture, caption in pairwise(outputs)
        if "image/png" in picture.get("data", {})
    }


def test_there_are_ten():
    assert len(SLIDES) == 10 and SOURCE.count("#slide(") == 10
    assert sum("shows" in named(slide) for slide in SLIDES) == 8


def test_nothing_runs_over_the_foot_of_a_slide():
    pages = PdfReader(REPORT / "slides.pdf").pages
    assert len(pages) == 10
    for number, page in enumerate(pages, 1):
        lines = defaultdict(list)

        def note(text, matrix, *_, lines=lines):
            lines[round(matrix[5])].append(text.strip())

        page.extract_text(visitor_text=note)
        foot, above, *_ = sorted(height for height, texts in lines.items() if any(texts))
        assert str(number) in lines[foot] and above > foot + 15


@every_slide
def test_a_figure_is_the_notebooks_of_that_number(slide):
    """Where numbers have moved, the alt text is that of another figure."""
    given = named(slide)
    assert ("shows" in given) == ("alt" in given)
    for number, alt in zip(given.get("shows", []), given.get("alt", []), strict=True):
        assert shown()[number] == alt


@every_slide
def test_a_number_is_one_of_the_tables_that_the_slide_names(slide):
    tables = "".join(file(table).read_text("utf-8") for table in named(slide).get("numbers", []))
    found, there = (set(re.findall(NUMBER, text)) for text in (body(slide), tables))
    assert found <= there | {number.lstrip("+−") for number in there}
    assert bool(found) == bool(tables)


@every_slide
def test_a_slide_is_brief(slide):
    if "shows" in named(slide) and "flat: true" not in slide:  # where no words stand beside it
        assert 10 < len(words(slide)) <= 35


def test_the_commands_are_those_of_the_lab(capsys):
    commands = set(re.findall(r"lab\.py (\w+)", SOURCE))
    with pytest.raises(SystemExit):
        lab.main(["--help"])
    assert commands and commands <= set(re.findall(r"^  (\w+)", capsys.readouterr().out, re.M))


def test_the_slides_are_accessible_and_the_same_bytes_twice(tmp_path):
    first, second = (slides.make(tmp_path / "none") for _ in range(2))
    assert first == second and b"pdfuaid" in first
    assert b"/Type/Pages/Count 10/" in first


def test_a_reports_own_figure_stands_before_the_published_one(tmp_path):
    published = slides.make(tmp_path)
    shutil.copy(REPORT / "figures" / "figure-1.svg", tmp_path / "figure-a12.svg")
    assert slides.make(tmp_path) != published


def test_a_figure_that_is_nowhere_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "COMMITTED", tmp_path / "none")
    with pytest.raises(exporters.ReportError, match=r"figures/figure-a1\.svg"):
        slides.make(tmp_path)
