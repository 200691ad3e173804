"""What is shown carries caption, alt text and files."""

import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from report.study import archive, display


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The output bundles that a notebook would get, and where files go."""
    outputs = []
    monkeypatch.setattr(archive, "ROOT", tmp_path)
    monkeypatch.setattr(
        display, "display", lambda data, raw, metadata=None: outputs.append((data, metadata))
    )
    return outputs, tmp_path / "build"


def test_a_figure_has_alt_text_and_caption_and_the_same_bytes_twice(shown):
    outputs, build = shown
    for _ in range(2):
        drawn, ax = plt.subplots()
        ax.plot([1, 2])
        display.figure(drawn, "Figure A3", "Seen.", "A plot.")
    (image, metadata), (caption, _) = outputs[:2]
    assert metadata["image/png"]["alt"] == "A plot."
    assert caption["text/markdown"] == "**Figure A3.** Seen."
    assert image == outputs[2][0]
    assert (build / "figures" / "figure-a3.png").read_bytes()[:4] == b"\x89PNG"
    assert "<dc:date>" not in (build / "figures" / "figure-a3.svg").read_text()
    assert drawn.number not in plt.get_fignums()  # left open it would be shown a second time


class Shown:
    def twice(self, x):
        """Return 2 * x."""
        # Why: it is seen.
        return 2 * x


def test_code_in_view_is_python_without_its_docstring_and_from_the_margin(shown):
    outputs, _ = shown
    display.source(Shown.twice, Shown.twice)
    ((bundle, _),) = outputs
    code = "def twice(self, x):\n    # Why: it is seen.\n    return 2 * x"
    assert bundle["text/plain"] == f"{code}\n\n\n{code}"
    assert bundle["text/markdown"] == f"```python\n{code}\n\n\n{code}\n```"


def test_a_table_puts_the_caption_first_and_saves_csv(shown):
    outputs, build = shown
    display.table(pd.DataFrame({"mode": ["a"], "n": [3]}), "Table 2", "Counts.")
    assert outputs[0][0]["text/markdown"] == "**Table 2.** Counts."
    assert ">3</td>" in outputs[1][0]["text/html"]
    assert (build / "tables" / "table-2.csv").read_text() == "mode,n\na,3\n"


def test_a_table_has_numbers_to_the_right_and_texts_to_the_left(shown):
    outputs, _ = shown
    columns = {
        "right": [["−1.5", "3e-06", "1 000", "12.0 %"], [7, 0.25, "–", "nan"]],
        "left": [["1 to 2", "3"], ["C1", "–"], ["A1_every_sentence_on_trial.ipynb", "3"]],
    }
    for side, texts in columns.items():
        for column in texts:
            display.table(pd.DataFrame({"a": "x", "b": column}), "Table 2", "Sides.")
            found = re.findall(
                r"<t[dh] style=\"text-align: (\w+)[;\"]", outputs[-1][0]["text/html"]
            )
            assert found == ["left", side] * (1 + len(column))


def test_a_number_and_an_interval_are_not_broken(shown):
    outputs, _ = shown
    effect = "+1.5 points (−0.2 to +3.0)"
    display.table(pd.DataFrame({"share": ["12.0 %"], "effect": [effect]}), "Table 2", "Whole.")
    html = outputs[-1][0]["text/html"]
    assert html.count("nowrap") == 1 and 'nowrap">12.0 %</td>' in html
    assert "points (−0.2&nbsp;to&nbsp;+3.0)</td>" in html
    assert effect in outputs[-1][0]["text/plain"]


def test_a_table_has_no_column_but_its_own(shown):
    outputs, _ = shown
    counts = pd.crosstab(pd.Series(["a", "b"], name="mode"), pd.Series([1, 2], name="seed"))
    display.table(counts.reset_index(), "Table 2", "Counts.")
    html = outputs[-1][0]["text/html"]
    assert html.count("<th ") == 3 and html.count("<td ") == 6 and "seed" not in html


def test_a_table_links_to_a_notebook_by_its_number(shown):
    outputs, build = shown
    frame = pd.DataFrame(
        {
            "by": [
                "A1_every_sentence_on_trial.ipynb#The-ledger",
                "see A1_every_sentence_on_trial.ipynb",
            ]
        }
    )
    display.table(frame, "Table 2", "Links.")
    html = outputs[1][0]["text/html"]
    assert (
        '<a href="A1_every_sentence_on_trial.ipynb#The-ledger">A1</a>' in html
        and html.count("<a ") == 1
    )
    assert (
        "A1_every_sentence_on_trial.ipynb#The-ledger\n"
        in (build / "tables" / "table-2.csv").read_text()
    )
