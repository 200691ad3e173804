"""The figures and tables of the answers, of made runs whose effects are known."""

import numpy as np
import pandas as pd
import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import answer_figures, answer_tables, first_step
from report.study.claims import answers, questions
from report.study.claims.questions import SEEDS
from report.study.comparisons import interval

ARMS = questions.of_family("F")


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(31)
    common = 0.88 + rng.normal(0, 0.003, 30)
    values = {arm: common + rng.normal(0.001 * i, 0.002, 30) for i, arm in enumerate(ARMS)}
    made = [
        record(seed, arm=arm, test_accuracy=[float(value)])
        for arm, accuracies in values.items()
        for seed, value in zip(SEEDS["F"], accuracies, strict=True)
    ]
    return {r.key: r for r in made}


@pytest.fixture(scope="module")
def found(records):
    return answers.answers("F", records)


def accuracies(records, arm):
    return np.array([100 * records[arm, seed].test_accuracy[0] for seed in SEEDS["F"]])


def marks(ax, marker):
    lines = [line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata())]
    return {
        (round(float(line.get_ydata()[0]), 2), line.get_fillstyle()): line.get_xdata()
        for line in lines
    }


def test_every_arm_stands_in_its_row_with_its_seeds_and_its_gain(records, found):
    left, right = answer_figures.starts(list(records.values()), found).axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names[0] == "no normalization" and len(set(names)) == len(names) == 11
    seeds, means, gains = marks(left, "."), marks(left, "o"), marks(right, "o")
    assert len(means) == 22 and len(gains) == 20
    for arm in ARMS:
        he = arm.init == "he"
        place = names.index(answer_tables.row_name(arm)) + (0.17 if he else -0.17)
        key = round(place, 2), "full" if he else "none"
        own = accuracies(records, arm)
        np.testing.assert_allclose(sorted(seeds[key]), sorted(own))
        assert means[key][0] == pytest.approx(own.mean())
        if arm.norm != "none":
            gain = own - accuracies(records, Arm(init=arm.init))
            assert gains[key][0] == pytest.approx(gain.mean())
            bars = [line.get_xdata() for line in right.lines if line.get_marker() == "None"]
            low, high = interval(gain).low, interval(gain).high
            assert any(np.allclose(bar, [low, high]) for bar in bars if len(bar) == 2)


def test_a_run_that_diverged_is_no_dot(records, found):
    arm, seed = ARMS[0], SEEDS["F"][0]
    lost = record(seed, arm=arm, test_accuracy=[], train_loss=[], train_accuracy=[], diverged=3)
    left, _ = answer_figures.starts(list((records | {lost.key: lost}).values()), found).axes
    counts = sorted(len(line.get_xdata()) for line in left.lines if line.get_marker() == ".")
    assert counts == [29, *[30] * 21]


def test_gains_after_a_short_and_a_long_training_stand_in_the_row_of_their_norm(monkeypatch):
    rng, found, expected = np.random.default_rng(41), [], {}
    for family, fill in (("R20", "full"), ("R", "none")):
        table = questions.RATES[family]
        monkeypatch.setitem(table, "chosen", dict.fromkeys(table["arms"], 0.04))
        values = {
            arm: rng.normal(90, 0.3, len(SEEDS[family])) for arm in questions.of_family(family)
        }
        made = [
            record(seed, arm=arm, test_accuracy=[value / 100])
            for arm, scores in values.items()
            for seed, value in zip(SEEDS[family], scores, strict=True)
        ]
        found.append(answers.answers(family, {r.key: r for r in made}))
        (none,) = (scores for arm, scores in values.items() if arm.norm == "none")
        expected |= {
            (answer_tables.row_name(arm), fill): interval(scores - none)
            for arm, scores in values.items()
            if arm.norm != "none"
        }
    (ax,) = answer_figures.durations(*found).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    shift = {"none": -0.17, "full": 0.17}
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2]
    bars = {round(line.get_ydata()[0], 2): tuple(line.get_xdata()) for line in lines}
    drawn = {
        (names[round(y - shift[fill])], fill): (x[0], *bars[y])
        for (y, fill), x in marks(ax, "o").items()
    }
    ends = {key: pytest.approx((i.mean, i.low, i.high)) for key, i in expected.items()}
    assert len(names) == 5 and drawn == ends
    assert (ax.patches[0].get_x(), ax.patches[0].get_width()) == (-0.2, 0.4)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["after 4 epochs", "after 20 epochs"]


def test_the_table_has_both_gains_and_how_far_they_differ(records, found):
    table = answer_tables.gains_table(found).set_index("norm")
    assert len(table) == 10
    row = table.loc["LN (both, per channel)"]
    arms = [Arm("layer", placement="both", per="channel", init=init) for init in ("normal", "he")]
    gains = [accuracies(records, a) - accuracies(records, Arm(init=a.init)) for a in arms]
    pairs = [(a, Arm(init=a.init)) for a in arms]
    asked = [*pairs, (*pairs[0], *pairs[1])]
    for cell, values, of in zip(row, (*gains, gains[0] - gains[1]), asked, strict=True):
        mean = f"{interval(values).mean:+.2f}".replace("-", "\N{MINUS SIGN}")
        open_question = answers.by_arms(found)[of]["answer"] == "not resolved"
        assert cell.startswith(f"{mean}° (" if open_question else f"{mean} (")


def test_accuracy_stands_over_what_was_measured_with_its_rank_correlation():
    arms = ARMS[:8]
    first = pd.DataFrame({"loss": 2.0 ** np.arange(8), "slope": [3, 1, 2, 5, 4, 7, 6, 8]}, arms)
    scored = pd.Series(np.arange(80.0, 88), arms)
    axes = {"loss": "a loss", "slope": "a slope"}
    rising, rest = answer_figures.before_the_first_step(scored, first, axes).axes
    assert list(marks(rising, "o").values()) and rising.get_xlabel() == "a loss"
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in rest.lines[:8]]
    assert dots == list(zip(first["slope"], scored, strict=True))
    assert rising.get_title() == "rank correlation +1.00 (+1.00 to +1.00)"
    assert rest.get_title() == "rank correlation +0.88 (+0.33 to +0.98)"


def test_what_is_measured_before_the_first_step_has_the_columns_that_are_drawn():
    columns = first_step.table([Arm()], [3], "quick").columns
    assert {"gradient, hidden", "loss"} <= set(columns)


SCORES = {  # validation accuracy by rate, of R's arms in their order; the rest are at 90
    "none_he": {0.01: 89.5, 0.02: 90.5, 0.04: 90.7, 0.08: 90.1, 0.16: 10},
    "ln_hidden_he": {0.01: 91, 0.02: 91.5, 0.04: 91.2, 0.08: 90, 0.16: 89.9},
}


@pytest.fixture
def choice(monkeypatch):
    """Made runs from which the rates of R were chosen, and the choice."""
    table, made = questions.RATES["R"], []
    best = {name: SCORES.get(name, {0.01: 90, 0.02: 91, 0.04: 90.4}) for name in table["arms"]}
    monkeypatch.setitem(table, "chosen", {name: max(s, key=s.get) for name, s in best.items()})
    monkeypatch.setitem(table, "finalists", {key: [0.02, 0.04] for key in table["arms"]})
    for name in table["arms"]:
        for rate in questions.grid(name, "R"):
            more = questions.MORE if rate in (0.02, 0.04) else ()
            for seed in (*questions.CHOOSING["R"], *more):
                value = best[name].get(rate, 90) + (seed - 403.5) / 10 * (1 + 10 * rate)
                arm = questions.candidate(name, rate)
                lost = {"test_accuracy": [], "train_loss": [], "train_accuracy": [], "diverged": 3}
                fine = {"test_accuracy": [value / 100]}
                made.append(record(seed, arm=arm, **(lost if value < 50 else fine)))
    return {r.key: r for r in made}


def test_rates_are_drawn_by_place_with_stars_where_they_are_chosen(choice):
    chosen = questions.chosen("R")
    conv, hidden = answer_figures.rates(list(choice.values()), chosen).axes
    names = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in (conv, hidden)]
    assert names == [
        ["no normalization", "BN", "LN (per channel)", "WN"],
        ["no normalization", "BN (hidden)", "LN (hidden)"],
    ]
    stars = [x for x in hidden.lines if x.get_marker() == "*"]
    assert [(x.get_xdata()[0], x.get_ydata()[0]) for x in stars] == [
        (0.04, pytest.approx(90.7)), (0.02, pytest.approx(91)), (0.02, pytest.approx(91.5)),
    ]  # fmt: skip
    means = next(x for x in hidden.lines if x.get_label() == "no normalization")
    assert list(means.get_xdata()) == [0.01, 0.02, 0.04, 0.08, 0.16]
    assert list(means.get_ydata()[[1, 2, 4]]) == pytest.approx([90.5, 90.7, 10])
    seeds = hidden.lines[0]
    assert len(seeds.get_xdata()) == 3 * 3 + 2 * 8
    (below,) = hidden.texts  # a mean of diverged runs, at the lower edge
    assert below.get_text() == "10.0 " and below.get_position()[0] == 0.16
    assert hidden.get_ylim()[0] < below.get_position()[1] < 89


def test_a_choice_is_given_with_the_scores_of_all_rates_and_its_lead(choice):
    found = answer_tables.rates_table("R", choice).set_index("norm")
    none, hidden = found.loc["no normalization"], found.loc["LN (hidden)"]
    rates = ["0.005", "0.01", "0.02", "0.04", "0.08", "0.16"]
    # Of 3 seeds where there are not 8: a quarter of a point lower, and more at higher rates.
    assert list(none[rates]) == ["–", "89.22", "90.50*", "90.70*", "89.65", "10.00"]
    assert found.loc["BN", "0.005"] == "89.74"
    assert none["chosen"] == "0.04" and hidden["chosen"] == "0.02"
    seeds = np.arange(8) - 3.5
    assert none["lead over the other finalist"] == said(0.2 + seeds / 50)
    assert hidden["lead over the other finalist"] == said(0.3 - seeds / 50)


def said(leads):
    found = interval(leads)
    return f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def test_without_finalists_a_choice_has_the_lead_over_the_next_best(monkeypatch):
    monkeypatch.setitem(questions.RATES["B"], "chosen", {"bn_b8": 0.004})
    found = {0.001: [81, 83, 82], 0.004: [84, 86, 85.5], 0.016: [84, 85, 86]}
    made = [
        record(seed, arm=questions.candidate("bn_b8", rate), test_accuracy=[value / 100])
        for rate, values in found.items()
        for seed, value in zip(questions.CHOOSING["B"], values, strict=True)
    ]
    (row,) = answer_tables.choices_table("B", {r.key: r for r in made}).to_dict("records")
    assert (row["minibatch"], row["images"], row["norm"]) == (8, 20_000, "BN")
    assert row["rate: accuracy (%)"] == "0.001: 82.00; 0.004: 85.17; 0.016: 85.00"
    assert row["chosen"] == "0.004"
    assert row["lead over the next best"] == said([0, 1, -0.5]).replace("-", "−")


def test_differences_name_their_arms_and_keep_their_order(choice):
    scores = {arm: 0.9 + i / 1000 for i, arm in enumerate(questions.of_family("R"))}
    rng = np.random.default_rng(3)
    made = [
        record(seed, arm=arm, test_accuracy=[score + rng.normal(0, 1e-5)])
        for arm, score in scores.items()
        for seed in SEEDS["R"]
    ]
    found = answers.answers("R", {r.key: r for r in made})
    table = answer_tables.differences_table(found).set_index("id")
    assert table.loc["R1", "difference"] == "BN − no normalization"
    assert table.loc["R7", "difference"] == "BN (hidden) − LN (hidden)"
    for name, row in table.iterrows():
        arm, other = questions.QUESTIONS[name].settings()
        effect = f"{100 * (scores[arm] - scores[other]):+.2f} points (".replace("-", "−")
        assert row["effect (95 % interval)"].startswith(effect) and row["n"] == 30
    assert table.loc["R7", "answer"].startswith("lower") and table.loc["R7", "outcome"] == "failed"


def test_questions_keep_their_words_and_their_answers(found):
    table = answer_tables.questions_table(found)
    assert list(table["answer"]) == list(found["in words"])
    assert list(table["question"]) == [questions.QUESTIONS[name].question for name in table["id"]]
    assert list(table.columns) == [
        "id", "question", "answer", "effect (95 % interval)", "n", "adjusted p", "prediction",
        "outcome",
    ]  # fmt: skip


def test_gains_stand_by_minibatch_and_norm(monkeypatch):
    rates = questions.RATES["B"]
    monkeypatch.setitem(rates, "chosen", dict.fromkeys(rates["arms"], 0.04))
    gains = {"batch": 0.01, "layer": 0.004, "group": 0.0, "none": 0.0}
    rng = np.random.default_rng(5)
    made = [
        record(seed, arm=arm, test_accuracy=[0.8 + gains[arm.norm] / arm.batch_size + noise])
        for arm in questions.of_family("B")
        for seed, noise in zip(SEEDS["B"], rng.normal(0, 1e-6, 10), strict=True)
    ]
    found = answers.answers("B", {r.key: r for r in made})
    table = answer_tables.minibatches_table(found).set_index("minibatch")
    assert list(table.index) == [2, 8, 32, 100, 500] and list(table) == ["BN", "LN", "GN"]
    assert table.loc[2, "BN"] == "+0.50 (+0.50 to +0.50)"
    assert table.loc[8, "LN"] == "+0.05 (+0.05 to +0.05)"


def test_what_a_chosen_rate_gains_is_paired_and_a_diverged_run_is_a_guess():
    arm, seeds = Arm(init="he"), (3, 4, 5)
    there = {0.01: [0.80, 0.82, 0.84], 0.04: [0.81, 0.85, None]}
    lost = {"test_accuracy": [], "train_loss": [], "train_accuracy": [], "diverged": 3}
    made = [
        record(seed, arm=Arm(init="he", learning_rate=rate), **(
            lost if value is None else {"test_accuracy": [value]}
        ))
        for rate, values in there.items()
        for seed, value in zip(seeds, values, strict=True)
    ]  # fmt: skip
    tuned = [(arm, 0.04, seeds), (arm, 0.01, seeds)]
    moved, kept = answer_tables.tuning_table(tuned, {r.key: r for r in made}).to_dict("records")
    assert moved["from"] == "He's initialization" and moved["norm"] == "no normalization"
    assert (moved["rate"], moved["accuracy (%)"], moved["at 0.01"]) == ("0.04", "58.67", "82.00")
    assert moved["difference (95 % interval)"] == said([1, 3, -74]).replace("-", "−")
    assert kept["difference (95 % interval)"] == "–"


def test_correlations_are_over_all_arms_and_within_a_start():
    arms = [*ARMS[:4], *(Arm(norm, init="he") for norm in ("none", "batch", "layer", "weight"))]
    arms = [arm for arm in dict.fromkeys(arms)]
    first = pd.DataFrame({"loss": np.arange(len(arms))}, arms)
    scored = pd.Series([0 if arm.init == "he" else 10.0 for arm in arms], arms) + first["loss"] / 9
    scores, named = {"accuracy": scored, "its negative": -scored}, {"loss": "a loss"}
    row, other = answer_tables.correlations_table(scores, first, named).to_dict("records")
    assert (row["of"], row["with"]) == ("accuracy", "a loss") and other["of"] == "its negative"
    assert other["from N(0, 0.1²)"].startswith("−1.00 (")
    assert row["from He's initialization"].startswith("+1.00 (")
    assert row["from N(0, 0.1²)"].startswith("+1.00 (")
    assert not row["all arms"].startswith("+1.00")
