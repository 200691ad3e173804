"""What an installation has: of normlib the package alone, of the report what nbconvert finds."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import Page, made

from report.exporters import HTMLReport, PDFReport

ROOT = Path(__file__).parents[1]
PROJECTS = {
    "normlib": tomllib.loads((ROOT / "pyproject.toml").read_text()),
    "report": tomllib.loads((ROOT / "report" / "pyproject.toml").read_text()),
}
VERSION = PROJECTS["normlib"]["project"]["version"]
ELSEWHERE = {"torch"}  # which the benchmark installs in .venv-bench


def build(folder: Path, kind: str, to: Path) -> zipfile.ZipFile:
    """The wheel that pip would build of the project in `folder`, without pip, which may lack."""
    code = f"import sys; from setuptools import build_meta as b; b.build_{kind}(sys.argv[1])"
    command = [sys.executable, "-c", code, str(to)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = to.glob("*.whl")
    return zipfile.ZipFile(wheel)


def copy(name: str, to: Path) -> Path:
    """A copy of the repository's folder of that name, without what is large and no code."""
    ignored = shutil.ignore_patterns("__pycache__", "runs", "tables", "figures", "build")
    return shutil.copytree(ROOT / name, to / name, ignore=ignored)


def requirements(project: str) -> dict[str, Requirement]:
    """What the project depends on, with its optional dependencies."""
    table = PROJECTS[project]["project"]
    optional = [line for lines in table.get("optional-dependencies", {}).values() for line in lines]
    found = map(Requirement, [*table["dependencies"], *optional])
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of normlib, built of a copy, for setuptools leaves a folder `build`."""
    folder = tmp_path_factory.mktemp("normlib")
    for name in ("pyproject.toml", "README.md", "LICENSE", "lab.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("normlib", "report", "tests"):
        copy(name, folder)
    return build(folder, "wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_of_normlib_has_the_package_and_nothing_else(wheel):
    names = set(wheel.namelist())
    metadata = f"normlib-{VERSION}.dist-info"
    assert {name.split("/")[0] for name in names} == {"normlib", metadata}
    modules = {f"normlib/{path.name}" for path in (ROOT / "normlib").glob("*.py")}
    sample = {f"normlib/fashion_mnist_sample.{ending}" for ending in ("npz", "LICENSE")}
    assert {name for name in names if name.startswith("normlib/")} == modules | sample
    assert f"{metadata}/licenses/LICENSE" in names


def test_the_wheel_of_normlib_asks_for_one_tensorflow_on_every_system():
    asked = requirements("normlib")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")):
        here = {"sys_platform": system, "platform_machine": machine}
        names = [name for name, r in asked.items() if not r.marker or r.marker.evaluate(here)]
        assert sum(name.startswith("tensorflow") for name in names) == 1
        assert {"keras", "numpy"} <= set(names)


def sources(project: str) -> dict[str, str]:
    """The project's Python sources, with the report's the notebooks' code."""
    found = {str(path): path.read_text() for path in (ROOT / project).rglob("*.py")}
    for path in (ROOT / "notebooks").glob("*.ipynb") if project == "report" else ():
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        found[str(path)] = re.sub(r"^[%!].*", "", code, flags=re.MULTILINE)
    found.pop(str(ROOT / "report" / "setup.py"), None)  # which runs before anything is installed
    return found


def imported(source: str) -> set[str]:
    """The top-level names of what the source imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names


@pytest.mark.parametrize("project", PROJECTS)
def test_everything_that_is_imported_is_declared(project):
    declared = set(requirements("normlib")) | set(requirements(project))
    first_party = {"normlib"} if project == "normlib" else {"normlib", "report"}
    distributions = packages_distributions()
    for path, source in sources(project).items():
        for name in imported(source) - first_party - ELSEWHERE:
            names = set(map(canonicalize_name, distributions[name]))
            assert names & declared, f"{path} imports {name}"


def test_citation_and_changelog_name_the_version_and_its_date():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    date = re.search(r"^date-released: (\d{4}-\d\d-\d\d)$", citation, re.M)[1]
    assert f"\nversion: {VERSION}\n" in citation
    first = re.search(r"^## .*", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)[0]
    assert first == f"## [{VERSION}] - {date}"


def test_both_projects_agree():
    ours, reports = (project["project"] for project in PROJECTS.values())
    for key in ("version", "requires-python", "license"):
        assert ours[key] == reports[key]
    assert "normlib" in requirements("report")


def test_every_package_of_the_report_is_installed():
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "report").rglob("__init__.py")}
    packages = [".".join(folder.parts) for folder in folders]
    assert sorted(packages) == PROJECTS["report"]["tool"]["setuptools"]["packages"]


def test_requirements_and_lock_have_what_both_projects_need():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines if line[:2] == "-e"] == [
        "-e .", "-e ./report",
    ]  # fmt: skip
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock.txt").read_text(), re.M)
    locked = {canonicalize_name(name): version for name, version in pins}
    needed = [*requirements("normlib").values(), *requirements("report").values()]
    for project in PROJECTS.values():
        needed += map(Requirement, project["build-system"]["requires"])
    for requirement in needed:
        name = canonicalize_name(requirement.name)
        assert name == "normlib" or locked[name] in requirement.specifier, name


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the report is installed editable; Jupyter's settings lie in `*.data` there."""
    report, to = copy("report", tmp_path_factory.mktemp("copy")), tmp_path_factory.mktemp("site")
    before = set(report.rglob("*"))
    build(report, "editable", tmp_path_factory.mktemp("wheel")).extractall(to)
    assert set(report.rglob("*")) == before  # no report/build, which the lab would take for its own
    return to


def test_an_editable_report_registers_exporters_and_settings(site):
    (distribution,) = distributions(path=[str(site)])
    points = distribution.entry_points.select(group="nbconvert.exporters")
    exporters = {point.name: point.load() for point in points}
    assert exporters == {"lab-html": HTMLReport, "lab-pdf": PDFReport}
    assert len({exporter.export_from_notebook for exporter in exporters.values()}) == 2


def test_no_file_of_the_installation_is_another_distributions_or_a_readers(site):
    (data,) = site.glob("*.data/data")
    ours = {path.relative_to(data).as_posix() for path in data.rglob("*.*") if path.is_file()}
    assert ours == {
        "etc/jupyter/jupyter_server_config.d/normlib_report.json",
        "share/jupyter/nbconvert/templates/base/conf.json",
    }
    others = [one for one in distributions() if one.name != "normlib-report"]
    taken = {path.as_posix().lstrip("./") for one in others for path in one.files or ()}
    assert any(path.startswith("share/jupyter/nbconvert/templates/base/") for path in taken)
    assert not ours & taken


@pytest.fixture(scope="module")
def exported(site, tmp_path_factory):
    """The folder where `nbconvert` exports a notebook from that installation, and what it says."""
    folder = tmp_path_factory.mktemp("exported")
    nbformat.write(made(), folder / "x.ipynb")
    (data,) = site.glob("*.data/data")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "JUPYTER_PATH": str(data / "share" / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(folder / "none"),  # of the user's
        "PATH": str(folder),  # no LaTeX
        "PLAYWRIGHT_BROWSERS_PATH": str(folder),  # no Chromium
    }
    nbconvert = [sys.executable, "-m", "nbconvert", str(folder / "x.ipynb"), "--to"]
    started = {
        to: subprocess.Popen([*nbconvert, to], env=environment, text=True, stderr=subprocess.PIPE)
        for to in ("lab-pdf", "html", "pdf", "webpdf")
    }
    return folder, {to: process.communicate()[1] for to, process in started.items()}


def test_nbconvert_finds_our_exporter(exported):
    folder, said = exported
    assert (folder / "x.pdf").read_bytes().startswith(b"%PDF"), said["lab-pdf"]


def test_standard_html_keeps_alt_texts(exported):
    page = Page((exported[0] / "x.html").read_text())
    assert [image["alt"] for image in page.all("img")] == ['An "alt" text']


@pytest.mark.parametrize(("to", "what"), [("pdf", "LaTeX"), ("webpdf", "Playwright's Chromium")])
def test_standard_pdfs_end_with_a_sentence_that_says_what_to_use(exported, to, what):
    said = exported[1][to]
    last = said.strip().splitlines()[-1]
    assert last == f"--to {to} needs {what}, which is not installed: use --to lab-pdf instead."
    assert "Traceback" not in said
