"""Figures draw every seed, and what is shown carries caption, alt text and files."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_archive import record

from normlib import archive, arms, data, figures

RECORDS = [
    record(seed, arm=arm, test_accuracy=[0.5, 0.8 + seed / 100 + i / 50])
    for i, arm in enumerate((arms.NONE, arms.OUR_LN_HIDDEN))
    for seed in range(3)
]


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The output bundles that a notebook would get, and where files go."""
    outputs = []
    monkeypatch.setattr(archive, "ROOT", tmp_path)
    monkeypatch.setattr(
        figures, "display", lambda data, raw, metadata=None: outputs.append((data, metadata))
    )
    return outputs, tmp_path / "build"


def lines(ax, color):
    return [line for line in ax.lines if line.get_color() == color]


def test_per_epoch_draws_every_seed_their_mean_and_the_published_run():
    (ax,) = figures.per_epoch(RECORDS, "test_accuracy").axes
    drawn = lines(ax, figures.GREY)
    assert [list(line.get_ydata()) for line in drawn[:3]] == [[50, 80], [50, 81], [50, 82]]
    assert list(drawn[3].get_ydata()) == pytest.approx([50, 81])
    assert drawn[4].get_ydata() == [arms.PUBLISHED[arms.NONE]]
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "test accuracy (%)"


def test_a_diverged_run_is_not_averaged_in():
    found = figures.by_arm([*RECORDS, record(9, arm=arms.NONE, diverged=3)])
    assert [r.seed for r in found[arms.NONE]] == [0, 1, 2]


def test_every_arm_of_the_pilot_has_its_own_look():
    looks = {tuple(figures.style(arm).values()) for arm in arms.EXPERIMENTS["pilot"].arms}
    assert len(looks) == 8


def test_final_errors_starts_its_bars_at_zero():
    (ax,) = figures.final_errors(RECORDS).axes
    assert ax.get_xlim()[0] == 0
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([19, 17])


def test_distance_pairs_the_seeds():
    twins = [
        record(s, arm=a, loss_every_10=[1.0 + s * (a == arms.OUR_BN)])
        for a in (arms.OUR_BN, arms.KERAS_BN)
        for s in (0, 1)
    ]
    (ax,) = figures.distance(twins, [(arms.OUR_BN, arms.KERAS_BN)]).axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.0], [1.0], [0.5]]


def test_classes_shows_a_row_of_each():
    images = data.load("quick")
    (ax,) = figures.classes(images, per_class=4).axes
    mosaic = np.asarray(ax.images[0].get_array())
    assert mosaic.shape == (280, 112)
    third = images.train_images[images.train_labels == 2][0, ..., 0]
    np.testing.assert_array_equal(mosaic[56:84, :28], third)


def test_show_gives_alt_text_and_caption_and_saves_the_same_bytes_twice(shown):
    outputs, build = shown
    for _ in range(2):
        drawn = figures.per_epoch(RECORDS, "test_accuracy")
        figures.show(drawn, "Figure A3", "Seen.", "A plot.")
    (image, metadata), (caption, _) = outputs[:2]
    assert metadata["image/png"]["alt"] == "A plot."
    assert caption["text/markdown"] == "**Figure A3.** Seen."
    assert image == outputs[2][0]
    assert (build / "figures" / "figure-a3.png").read_bytes()[:4] == b"\x89PNG"
    assert "<dc:date>" not in (build / "figures" / "figure-a3.svg").read_text()
    assert drawn.number not in plt.get_fignums()  # left open it would be shown a second time


def test_show_table_puts_the_caption_first_and_saves_csv(shown):
    outputs, build = shown
    figures.show_table(pd.DataFrame({"mode": ["a"], "n": [3]}), "Table 2", "Counts.")
    assert outputs[0][0]["text/markdown"] == "**Table 2.** Counts."
    assert "<td>3</td>" in outputs[1][0]["text/html"]
    assert (build / "tables" / "table-2.csv").read_text() == "mode,n\na,3\n"


def test_show_table_links_to_a_notebook_by_its_number(shown):
    outputs, build = shown
    frame = pd.DataFrame({"by": ["08_claims.ipynb#The-ledger", "see 08_claims.ipynb"]})
    figures.show_table(frame, "Table 2", "Links.")
    html = outputs[1][0]["text/html"]
    assert '<a href="08_claims.ipynb#The-ledger">08</a>' in html and html.count("<a ") == 1
    assert "08_claims.ipynb#The-ledger\n" in (build / "tables" / "table-2.csv").read_text()
