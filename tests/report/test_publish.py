"""What is committed: the published report, and the numbers of the README."""

import re
from pathlib import Path

import nbformat
from made_runs import noise
from made_world import whole
from pages import check_page

from report import publish
from report.study.claims import summary, verdicts

ROOT = Path(__file__).parents[2]


def test_readme_has_the_published_numbers():
    readme = (ROOT / "README.md").read_text()
    for name, text in publish.numbers(ROOT / "report" / "tables").items():
        assert re.search(rf"<!-- {name}:.*-->\n{re.escape(text)}<!-- end of {name} -->\n", readme)


def test_readme_has_our_claims_and_no_published_sentence():
    text = publish.numbers(ROOT / "report" / "tables")["findings"]
    names = re.findall(r"^\| (\w+) \|", text, re.M)
    sizes = {"H": 12, "E": 9, "L": 4}
    assert names == ["id", *(f"{kind}{i + 1}" for kind in sizes for i in range(sizes[kind]))]


def test_numbers_replace_what_stood_there(tmp_path):
    readme = tmp_path / "README.md"
    names = ("findings", "modes", "speed")
    readme.write_text("\n".join(f"<!-- {n}: how -->\nold\n<!-- end of {n} -->\nB" for n in names))
    ledger = verdicts.ledger(whole(none=noise(1), wn=noise(2)))
    ledger.loc[0, "claim"] = r"a | b \1"
    ledger.to_csv(tmp_path / publish.LEDGER, index=False)
    (tmp_path / publish.MODES).write_text("mode,n\nour BN,3\n")
    (tmp_path / publish.SPEED).write_text(
        "contender,norm,times ours\nours,BN,1\nKeras fit,BN,1.52\nPyTorch,BN,1.49\n"
        "Keras fit,none,\nPyTorch,none,2\nthe published script's way,none,63.6\n"
    )
    (tmp_path / publish.MACHINE).write_text("what,value\ncpu,an abacus\nthreads,2\n")
    publish.write_numbers(readme, tmp_path)
    findings, modes, speed, _ = readme.read_text().split("-->\nB")
    assert summary.in_short(ledger) in findings
    shown = ledger[publish.SHOWN].set_index("id")
    assert f"\n| H3 | {' | '.join(map(str, shown.loc['H3']))} |\n" in findings
    assert "\n| H1 | a \\| b \\1 | " in findings and shown.loc["H3", "n"] == 30
    rows = "| mode | n |\n| --- | --- |\n| our BN | 3 |\n"
    assert modes == f"\n<!-- modes: how -->\n{rows}<!-- end of modes "
    assert "1.5 times (BN), 2.0 times (none)" in speed and "64 times" in speed
    assert "an abacus" in speed and "free" not in speed
    assert "\nold\n" not in findings + modes + speed


def test_the_speed_is_that_of_the_free_norms_once_they_are_measured(tmp_path):
    (tmp_path / publish.MACHINE).write_text("what,value\ncpu,an abacus\nthreads,2\n")
    (tmp_path / publish.SPEED).write_text(
        'contender,norm,times ours\nours,BN,1\n"ours, free",BN,0.5\nKeras fit,BN,1.52\n'
        "PyTorch,BN,1.4\nthe published script's way,none,63.6\n"
    )
    assert "2.8 times (BN) as long" in " ".join(publish.speed(tmp_path).split())


def test_published_report_is_offline_and_has_what_the_notebooks_show():
    page, ids = check_page((ROOT / "report" / "index.html").read_text())
    files = (ROOT / "notebooks").glob("*.ipynb")
    cells = [cell for file in files for cell in nbformat.read(file, 4).cells]
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    found = (output.get("metadata", {}).get("caption") for output in shown)
    captions = set(found) - {None}
    assert captions <= set(ids) and {"figure-6", "table-3"} <= captions
    assert len(page.all("img")) == sum("image/png" in output.get("data", {}) for output in shown)
    assert (ROOT / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
