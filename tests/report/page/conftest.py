"""A report with everything that the page can do, and a browser that opens it."""

from base64 import b64encode
from pathlib import Path

import pytest
from hostile import code, data, printed, text
from nbformat.v4 import new_notebook
from pages import ALIGNED

from report import page_data
from report.cells import merge
from report.exporters import HTMLReport
from report.study import archive
from report.study.claims import verdicts

FIGURES = Path(__file__).parents[3] / "report" / "figures"
ANSWER = "Normalization helps here, by so much and under these conditions. " * 3
WIDE = f"<table><tr>{'<td>a wide table</td>' * 40}</tr></table>"


def tagged(tag, *outputs, source="show(1)"):
    cell = code(*outputs, source=source)
    cell.metadata.tags = [tag]
    return cell


def figure():
    """A published figure, of which there is a drawing."""
    png = b64encode((FIGURES / "figure-1.png").read_bytes()).decode()
    shown = data({"image/png": {"alt": "Lines", "width": 620}}, **{"image/png": png})
    caption = data(text_markdown="**Figure 1.** Accuracy.")
    return tagged("hide-input", shown, caption, source="hidden = 1")


def ledger_table():
    frame = verdicts.ledger(archive.read([archive.COMMITTED])).iloc[:40:2]
    frame = frame[["id", "claim", "verdict"]]
    caption = data(text_markdown="**Table 1.** The ledger.")
    return tagged(page_data.LEDGER, caption, data(text_html=frame.to_html(index=False)))


def filler(number):
    return text(f"## Part {number}\n\n" + "Words that fill a page. " * 150)


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """A report with everything that the page can do."""
    first = [
        text(f"# The answer\n\n{ANSWER}"), figure(), code(printed("3"), source="# a comment\n3"),
        text(ALIGNED), code(data(text_html=WIDE)), filler(1), filler(2),
    ]  # fmt: skip
    lottery = tagged(page_data.LOTTERY, data(text_markdown="The static figure."))
    trial = [text("# On trial"), ledger_table(), filler(3), lottery]
    parts = {"00_first": first, "A1_trial": trial, "A2_last": [text("# Last\n\nThe end.")]}
    notebooks = {name: new_notebook(cells=cells) for name, cells in parts.items()}
    made, resources = HTMLReport().from_notebook_node(merge(notebooks))
    assert resources["warnings"] == []
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(made, "utf-8")
    return file


@pytest.fixture
def page(browser, file):
    from browser import opened

    with opened(browser, file, reduced_motion="reduce") as page:
        yield page
