"""Both exporters on a made notebook, the build on a made folder, and the published report."""

import base64
import io
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_archive import record

from normlib import archive
from report import build, exporters, publish

ROOT = Path(__file__).parents[1]
ALIGNED = r"""$$
\begin{aligned}
y &= \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta
\end{aligned}
$$"""

TABLE = """<table><thead><tr><th>mode</th></tr></thead>
<tbody><tr><td>none</td></tr></tbody></table>"""


def picture():
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot([1, 3, 2])
    png = io.BytesIO()
    figure.savefig(png, dpi=50)
    plt.close(figure)
    return base64.b64encode(png.getvalue()).decode()


def shown(*outputs):
    return [new_output("display_data", data, metadata=metadata) for data, metadata in outputs]


def made(formula=ALIGNED):
    """An executed notebook with everything that the lab's notebooks have."""
    figure = new_code_cell("HIDDEN = 1", execution_count=1, metadata={"tags": ["hide-input"]})
    figure.outputs = shown(
        ({"image/png": picture()}, {"image/png": {"alt": 'An "alt" text'}}),
        ({"text/markdown": "**Figure A3.** With `code` and $\\mu$."}, {"caption": "figure-a3"}),
    )
    table = new_code_cell(f"SHOWN = '{'w' * 150}'", execution_count=2)
    table.outputs = [
        new_output("stream", name="stderr", text="NOISE"),
        new_output("stream", name="stdout", text="printed"),
        *shown(
            ({"text/markdown": "**Table 1.** Two rows."}, {"caption": "table-1"}),
            ({"text/html": TABLE}, {}),
            ({"text/markdown": "**What we see.** 88.5 % of it."}, {"prose": True}),
        ),
    ]  # fmt: skip
    links = "[The other](01_other.ipynb) and [a part](00_first.ipynb#Below)."
    text = f"# First title\n\nInline $x^2$.\n\n{formula}\n\n## Below\n\n{links}"
    return new_notebook(cells=[new_markdown_cell(text), figure, table])


def merged():
    other = new_notebook(cells=[new_markdown_cell("# Other title\n\n## Below\n\nText.")])
    return build.merge({"00_first": made(), "01_other": other})


@pytest.fixture(scope="module")
def html():
    return exporters.HTMLReport().from_notebook_node(merged())[0]


class Page(HTMLParser):
    """Tags with their attributes, and the text outside code, annotations and styles."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.skip = [], "", []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("annotation", "pre", "code", "style"):
            self.skip.append(tag)

    def handle_endtag(self, tag):
        if self.skip and self.skip[-1] == tag:
            self.skip.pop()

    def handle_data(self, data):
        self.text += "" if self.skip else data

    def all(self, tag):
        return [attributes for found, attributes in self.tags if found == tag]


def check_page(source):
    page = Page(source)
    for tag, name in (("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")):
        assert all(a.get(name, "data:").startswith("data:") for a in page.all(tag)), tag
    assert not re.search(r"""url\(\s*["']?(?!data:)\w|@import|<script""", source)
    assert not re.search(r"\$|\\begin|\\frac|\\sigma", page.text)
    assert page.all("img") and all(image["alt"] for image in page.all("img"))
    # A picture that comes late has no height before, and what a link leads to moves away.
    assert not any("loading" in image for image in page.all("img"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for a in page.all("a") if a.get("href", "").startswith("#")]
    assert links and set(links) <= set(ids)
    assert not [a["href"] for a in page.all("a") if ".ipynb" in a.get("href", "")]
    return page, ids


def test_html_is_one_offline_page_with_captions_and_contents(html):
    page, ids = check_page(html)
    assert {"figure-a3", "table-1", "nb-00_first", "nb-01_other"} <= set(ids)
    assert page.all("math") and page.all("figcaption") and page.all("caption")
    assert page.all("html")[0]["lang"] == "en" and page.all("main") and page.all("nav")
    links = [a.get("href") for a in page.all("a")]
    assert "#nb-01_other" in links and "#nb-00_first--below" in links


def test_html_hides_what_is_tagged_and_keeps_the_rest(html):
    assert "HIDDEN" not in html and "NOISE" not in html
    for text in ("SHOWN", "printed", "What we see.", "Two rows."):
        assert text in html


@pytest.mark.parametrize("exporter", [exporters.HTMLReport, exporters.PDFReport])
def test_bad_tex_stops_the_build(exporter):
    with pytest.raises(exporters.ReportError, match="TeX math"):
        exporter().from_notebook_node(made(formula=r"$$\frac{1}{$$"))


def test_pdf_is_the_same_bytes_twice():
    first, second = (exporters.PDFReport().from_notebook_node(merged())[0] for _ in range(2))
    assert first == second and first.startswith(b"%PDF")
    assert b"pdfuaid" in first  # it says that it is PDF/UA, and typst refuses to say so wrongly


def test_pdf_without_alt_text_is_refused():
    notebook = made()
    notebook.cells[1].outputs[0].metadata = {}
    with pytest.raises(Exception, match="alt"):
        exporters.PDFReport().from_notebook_node(notebook)


@pytest.mark.parametrize(
    ("exporter", "ending", "begin"),
    [("HTMLReport", "html", b"<!DOCTYPE"), ("PDFReport", "pdf", b"%PDF")],
)
def test_plain_nbconvert_reaches_both(tmp_path, exporter, ending, begin):
    nbformat.write(made(), tmp_path / "x.ipynb")
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        f"report.exporters.{exporter}",
        str(tmp_path / "x.ipynb"),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / f"x.{ending}").read_bytes().startswith(begin)


WRITE = """
from pathlib import Path
for kind in ("figures", "tables"):
    folder = Path("../report/build", kind)
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
"""


@pytest.fixture
def folder(tmp_path):
    """A small repository with two notebooks, the first of which writes a table."""
    (tmp_path / "notebooks").mkdir()
    for name, source in (("00_a", WRITE), ("01_b", "print(6 * 7)")):
        cells = [new_markdown_cell(f"# Title {name}"), new_code_cell(source)]
        nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted((folder / "notebooks").glob("*"))}


def test_build_leaves_the_notebooks_and_publish_renews_them(folder, capsys):
    before = contents(folder)
    assert build.main(["--profile", "quick", "--root", str(folder)]) == 0
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()
    assert "42" in (folder / "report" / "build" / "index.html").read_text()
    assert "report.pdf" in capsys.readouterr().out
    archive.append(record(5), folder / "report" / "runs")
    tables = folder / "report" / "tables"
    tables.mkdir()
    for name in ("benchmark.csv", "table-9.csv"):
        (tables / name).touch()
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 0
    kept = {"benchmark.csv", "a.csv", "runs.csv", "epochs.csv"}
    assert {file.name for file in tables.iterdir()} == kept
    assert pd.read_csv(tables / "runs.csv")["seed"].tolist() == [5]
    published = nbformat.read(folder / "notebooks" / "01_b.ipynb", 4)
    assert published.cells[1].execution_count == 1 and published.cells[1].outputs[0].text == "42\n"
    assert (folder / "report" / "report.pdf").exists()
    assert (tables / "a.csv").read_text() == "1"


def test_ctrl_c_ends_the_kernels_and_what_they_train(folder):
    file = folder / "notebooks" / "00_a.ipynb"
    notebook = nbformat.read(file, 4)
    notebook.cells[1].source = "import subprocess\nsubprocess.run(['sleep', '600'])"
    nbformat.write(notebook, file)
    command = [sys.executable, "-m", "report.build", "--profile", "quick", "--root", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        build_process = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while not (found := [p for p in children(build_process) if p.name() == "sleep"]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "interrupted; what was executed is in" in process.stderr.read()
    gone, alive = psutil.wait_procs(found, 10)
    assert gone and not alive


def children(process):
    return process.children(recursive=True)


def test_a_report_leaves_the_readers_benchmark(tmp_path):
    tables = tmp_path / "build" / "tables"
    tables.mkdir(parents=True)
    for name in ("benchmark.csv", "benchmark-sweep.csv", "table-9.csv"):
        (tables / name).touch()
    build._clean(tmp_path / "build")
    assert {file.name for file in tables.iterdir()} == {"benchmark.csv", "benchmark-sweep.csv"}


def test_a_failing_cell_is_named_and_publishes_nothing(folder, capsys):
    file = folder / "notebooks" / "01_b.ipynb"
    notebook = nbformat.read(file, 4)
    notebook.cells[1].source = "1 / 0"
    nbformat.write(notebook, file)
    before = contents(folder)
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "01_b.ipynb" in error and "1 / 0" in error and "ZeroDivisionError" in error
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()


def test_readme_has_the_published_numbers():
    readme = (ROOT / "README.md").read_text()
    for name, text in publish.numbers(ROOT / "report" / "tables").items():
        assert re.search(rf"<!-- {name}:.*-->\n{re.escape(text)}<!-- end of {name} -->\n", readme)


def test_readme_has_our_claims_and_no_published_sentence():
    text = publish.numbers(ROOT / "report" / "tables")["findings"]
    names = re.findall(r"^\| (\w+) \|", text, re.M)
    sizes = {"H": 12, "E": 9, "L": 4}
    assert names == ["id", *(f"{kind}{i + 1}" for kind in sizes for i in range(sizes[kind]))]


LEDGER = """\
id,section,claim,verdict,effect (95 % interval),n,adjusted p,prediction,outcome,unit,like
H1,ours,a | b,pending,–,–,–,SUPPORTED,pending,points,
E2,ours,a \\1,EQUIVALENT,+0.1 points (0.0 to +0.2),60,0.01,EQUIVALENT,held,points,
L1,ours,c,REFUTED,0,60,0.01,SUPPORTED,failed,points,
C1,1.2,“c”,REFUTED,–,–,–,–,–,–,
"""


def test_numbers_replace_what_stood_there(tmp_path):
    readme = tmp_path / "README.md"
    names = ("findings", "modes", "speed")
    readme.write_text("\n".join(f"<!-- {n}: how -->\nold\n<!-- end of {n} -->\nB" for n in names))
    (tmp_path / publish.LEDGER).write_text(LEDGER)
    (tmp_path / publish.MODES).write_text("mode,n\nour BN,3\n")
    (tmp_path / publish.SPEED).write_text(
        "contender,norm,times ours\nours,BN,1\nKeras fit,BN,1.52\nPyTorch,BN,1.49\n"
        "Keras fit,none,\nPyTorch,none,2\nthe published script's way,none,63.6\n"
    )
    publish.write_numbers(readme, tmp_path)
    findings, modes, speed, _ = readme.read_text().split("-->\nB")
    counts = "3 of ours, put to 3 tests and 1 arguments: 2 REFUTED, 1 EQUIVALENT, 1 pending"
    assert counts in findings and findings.endswith(
        "| H1 | a \\| b | pending | – | – | pending |\n"
        "| E2 | a \\1 | EQUIVALENT | +0.1 points (0.0 to +0.2) | 60 | held |\n"
        "| L1 | c | REFUTED | 0 | 60 | failed |\n"
        "<!-- end of findings "
    )
    rows = "| mode | n |\n| --- | --- |\n| our BN | 3 |\n"
    assert modes == f"\n<!-- modes: how -->\n{rows}<!-- end of modes "
    assert "1.5 times (BN), 2.0 times (none)" in speed and "64 times" in speed
    assert "old" not in findings + modes + speed


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
