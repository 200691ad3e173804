"""What is committed: the published report, and the numbers of the README."""

import re
from pathlib import Path

import nbformat
from pages import check_page

from report import publish

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS = {
    "3.11",
    "3.12",
    "3.13",
    "0.1",
    "0.2",
    "0.01",
    "0.9",
    "4.0",
}  # versions, settings, a licence


def test_readme_has_the_published_numbers():
    text = re.escape(publish.speed(ROOT / "report" / "tables"))
    assert re.search(rf"<!-- speed:.*-->\n{text}<!-- end of speed -->\n", README)


def test_a_number_of_the_readme_is_one_of_a_table():
    text = re.sub(r"```.*?```|`.*?`|\(.*?\)|<!-- speed.*?end", "", README, flags=re.S)
    tables = "".join(file.read_text() for file in (ROOT / "report" / "tables").glob("*.csv"))
    found = set(re.findall(r"\d+\.\d+", text)) - SETTINGS
    assert found and found <= set(re.findall(r"\d+\.\d+", tables))


def test_what_the_readme_shows_and_links_is_there():
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)", README))
    assert len(links) > 15 and all((ROOT / link).exists() for link in links)


def test_numbers_replace_what_stood_there(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("A\n<!-- speed: how -->\nold\n<!-- end of speed -->\nB")
    (tmp_path / publish.SPEED).write_text(
        "contender,norm,times ours,times the fastest peer,times no norm\n"
        "ours,BN,1,0.8,1.72\n"
        '"ours, free",none,0.96,0.73,0.96\n'
        '"ours, free",BN,0.5,0.4,0.99\n'
        "Keras fit,BN,1.25,1,2.5\n"
        "the published script's way,none,63.6,50,63.6\n"
    )
    (tmp_path / publish.MACHINE).write_text("what,value\ncpu,an abacus\nthreads,2\nrounds,7\n")
    publish.write_speed(readme, tmp_path)
    speed = " ".join(readme.read_text().split())
    assert "step with the shortcut of `free.py` takes 0.99 times (BN) as long" in speed
    assert "1.4 times (none), 2.5 times (BN) as long as the shortcut" in speed
    assert "64 times" in speed and "medians of 7 rounds" in speed
    assert "0.96" not in speed and "1.72" not in speed
    assert "old" not in speed and speed.startswith("A <!--") and speed.endswith("--> B")


def test_published_report_is_offline_and_has_what_the_notebooks_show():
    page, ids = check_page((ROOT / "report" / "index.html").read_text())
    files = (ROOT / "notebooks").glob("*.ipynb")
    cells = [cell for file in files for cell in nbformat.read(file, 4).cells]
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    found = (output.get("metadata", {}).get("caption") for output in shown)
    captions = set(found) - {None}
    assert captions <= set(ids) and {"figure-6", "table-3"} <= captions
    assert len(page.all("img")) == sum("image/png" in output.get("data", {}) for output in shown)
    for name in ("report.pdf", "slides.pdf"):
        assert (ROOT / "report" / name).read_bytes().startswith(b"%PDF")
