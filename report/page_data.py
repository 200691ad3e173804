"""What the page has beyond the notebooks: the ledger's rows, the lottery's runs, downloads."""

from base64 import b64encode
from html import escape

import pandas as pd
from nbformat import NotebookNode

from report.cells import anchor
from report.study import archive, lottery_game
from report.study.archive import ArchiveError
from report.study.claims import summary, verdicts

LEDGER, LOTTERY = "ledger", "lottery"  # the tags of the cells that show them


def page_data(notebook: NotebookNode) -> tuple[dict, list[str]]:
    """What page.lua and lottery.js add to this notebook, by name, and what was missing for it."""
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    data = {"downloads": downloads(notebook.metadata.get("notebooks", {}))}
    try:
        records = archive.read([archive.COMMITTED]) if tags & {LEDGER, LOTTERY} else {}
        if LEDGER in tags:
            data["claims"] = claims(verdicts.ledger(records))
        if LOTTERY in tags:
            data["lottery"] = lottery_game.game(records)
    except (ArchiveError, KeyError, ValueError) as error:  # the archive lacks runs
        reason = " ".join(str(error).split())[:300]
        return data, [f"ledger and lottery are as in the notebook: {reason}"]
    return data, []


def downloads(notebooks: dict[str, str]) -> dict[str, dict[str, str]]:
    """The notebooks' files as links that need no file beside the page, by the heading's anchor."""
    kind = "data:application/x-ipynb+json;base64,"
    return {
        f"nb-{anchor(name)}": {
            "name": escape(f"{name}.ipynb"),
            "href": kind + b64encode(source.encode()).decode(),
        }
        for name, source in notebooks.items()
    }


def claims(ledger: pd.DataFrame) -> dict[str, dict]:
    """The verdict and section of each claim, and what its row opens to: names and texts."""
    return {
        row["id"]: {
            "verdict": row["verdict"],
            "section": row["section"],
            "amended": bool(row["amendment"]),
            "more": [(name, text) for name, text in _more(row) if text],
        }
        for row in ledger.to_dict("records")
    }


def _more(row: dict):
    yield "Tested.", row["what is tested"]
    if row["margin"] > 0:  # what a verdict on "changes" or "equals" leaves unsaid
        yield "Found.", f"{summary.in_words(pd.Series(row)).capitalize()}."
    yield "Reason.", row["reason"]
    if row["prediction"] != "–":
        held = {"held": ", which held", "failed": ", which failed"}.get(row["outcome"], "")
        yield "Prediction.", f"{row['prediction']}{held}."
    if row["amendment"]:
        yield "Amendment.", f"{row['amendment']} The first verdict was {row['first verdict']}."
