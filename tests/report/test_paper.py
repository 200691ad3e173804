"""The PDF as a paper: its front page, its selection, its ledger, its references and its links."""

import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pages import Page, made
from pypdf import PdfReader

from report import build, cells, exporters

ROOT = Path(__file__).parents[2]
CITATION = (ROOT / "CITATION.cff").read_text("utf-8")
RELEASED = pd.Timestamp(re.search(r"date-released: (\S+)", CITATION)[1])
WORKS = json.loads((ROOT / "report" / "references.json").read_text("utf-8"))
NOTEBOOKS = {f.stem: nbformat.read(f, 4) for f in sorted((ROOT / "notebooks").glob("*.ipynb"))}
LINK = r"\[([^]]+)\]\((https?://[^)]+)\)"


def address(work):
    return f"https://doi.org/{work['DOI']}" if "DOI" in work else work["URL"]


def letters(text):
    """The text without its links' targets, and without what a line break may add or take."""
    return re.sub(r"[\W_]", "", re.sub(r"\]\(.*?\)", "]", text))


def tagged(tag):
    found = [cell for notebook in NOTEBOOKS.values() for cell in notebook.cells]
    return [cell for cell in found if tag in cell.metadata.get("tags", [])]


def read(path, notebook):
    """The PDF of the notebook: its pages' texts."""
    path.write_bytes(exporters.PDFReport().from_notebook_node(notebook)[0])
    return [page.extract_text() for page in PdfReader(path).pages]


@pytest.fixture(scope="module")
def paper():
    return PdfReader(ROOT / "report" / "report.pdf")


@pytest.fixture(scope="module")
def texts(paper):
    return [page.extract_text() for page in paper.pages]


def test_it_is_at_most_34_pages(texts):
    assert 10 < len(texts) <= 34


def test_the_front_page_has_title_authors_date_abstract_figure_and_contents(paper, texts):
    front = letters(texts[0])
    assert letters(cells.TITLE) in front and f'title: "{cells.TITLE}"' in CITATION
    authors = re.findall(r"- name: (.*)", CITATION)
    assert authors and ", ".join(authors) == paper.metadata.author
    assert all(letters(author) in front for author in authors)
    assert f"{RELEASED.day}{RELEASED:%B%Y}" in front
    assert paper.metadata.creation_date.date() == RELEASED.date()
    (abstract,), (figure,) = tagged("abstract"), tagged("front-page")
    assert letters(abstract.source.split("\n", 1)[1]) in front
    assert letters(figure.outputs[1].data["text/markdown"]) in front and paper.pages[0].images
    headings = [notebook.cells[0].source.split("\n")[0] for notebook in NOTEBOOKS.values()]
    assert all(letters(heading) in front for heading in headings)


def test_the_abstract_is_short_and_stands_there_alone(texts):
    (abstract,) = tagged("abstract")
    text = re.sub(r"\]\(.*?\)", "]", abstract.source.split("\n", 1)[1])
    assert 150 <= len(text.split()) <= 190
    assert sum(letters(text[:100]) in letters(page) for page in texts) == 1


def test_no_page_but_the_last_is_less_than_half_full(paper):
    for page in paper.pages[:-1]:
        heights = []

        def note(text, _, matrix, *__, heights=heights):
            heights.append(matrix[5]) if text.strip() else None

        page.extract_text(visitor_text=note)
        *body, number = sorted(heights, reverse=True)
        assert number < 60 and min(body) < page.mediabox.height / 2, page.page_number + 1


def test_what_is_page_only_is_on_the_page_and_not_in_the_paper(texts):
    whole, left_out = letters("".join(texts)), tagged("page-only")
    outputs = [output for cell in left_out for output in cell.get("outputs", [])]
    captions = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    texts_of_cells = [cell.source for cell in left_out if cell.cell_type == "markdown"]
    for text in filter(None, captions + texts_of_cells):
        assert letters(text) not in whole, text
    assert len(captions) > 30 and texts_of_cells
    cells_of_all = [cell for notebook in NOTEBOOKS.values() for cell in notebook.cells]
    kept = [cell for cell in cells_of_all if cell not in left_out]
    outputs = [output for cell in kept for output in cell.get("outputs", [])]
    for output in (one for one in outputs if "caption" in one.get("metadata", {})):
        assert letters(output.data["text/markdown"]) in whole, output.data["text/markdown"]


def test_the_ledger_is_whole_marks_amendments_and_takes_at_most_six_pages(texts):
    begin, end = (
        next(n for n, text in enumerate(texts) if re.search(rf"Table A\d+\.\s+{caption}", text))
        for caption in ("Our hypotheses", "Corrections")
    )
    assert end - begin < 6
    pages = "\n".join(texts[begin : end + 1])
    claims = pd.read_csv(ROOT / "report" / "tables" / "claims.csv", keep_default_na=False)
    shown = set(re.findall(r"^([CEHL]\d+[a-z]?)(?:†|\b)", pages, re.M))
    assert set(claims["id"]) <= shown and len(claims) > 90
    amended = claims["id"][claims["first verdict"] != ""]
    assert set(re.findall(r"^(\w+)†", pages, re.M)) == set(amended) and len(amended)
    dates = pd.to_datetime(claims["amendment"].str.extract(r"^(\d{4}-\d\d-\d\d)")[0].dropna())
    assert dates.max() <= RELEASED
    for verdict in set(claims["verdict"]) - {"UNTESTABLE-AS-STATED"}:
        assert pages.count(verdict) >= (claims["verdict"] == verdict).sum()


# References ----------------------------------------------------------------------------------


def test_every_link_out_of_the_notebooks_is_a_reference_and_every_reference_is_cited():
    sources = [c.source for n in NOTEBOOKS.values() for c in n.cells if c.cell_type == "markdown"]
    cited = {target for source in sources for _, target in re.findall(LINK, source)}
    assert cited == {address(work) for work in WORKS} and len(cited) == len(WORKS) > 15


def test_a_citation_names_the_authors_and_the_year_of_its_work():
    works = {address(work): work for work in WORKS}
    for cell in (cell for notebook in NOTEBOOKS.values() for cell in notebook.cells):
        for words, target in re.findall(LINK, cell.source if cell.cell_type == "markdown" else ""):
            work = works[target]
            assert words.startswith(work["author"][0]["family"])
            assert words.endswith(str(work["issued"]["date-parts"][0][0]))


def test_paper_and_page_have_the_reference_list(paper, texts):
    page = Page((ROOT / "report" / "index.html").read_text("utf-8"))
    targets = [a.get("href") for a in page.all("a")]
    for work in WORKS:
        assert targets.count(address(work)) == 1 and f"#ref-{work['id']}" in targets
        assert letters(work["title"]) in letters(page.text)
    listed = letters("".join(texts[-2:]))
    numbers = {n for text in texts for n in re.findall(r"\[(\d+)\]", text)}
    shown = [work for work in WORKS if letters(work["title"]) in listed]
    assert len(shown) == max(map(int, numbers)) > 12


def test_links_of_the_paper_lead_to_its_parts_or_to_references(paper):
    known = {address(work) for work in WORKS}
    inside, outside = set(), set()
    for page in paper.pages:
        for link in page.annotations or []:
            action = link.get_object().get("/A", {})
            outside |= {action["/URI"]} if "/URI" in action else set()
            inside |= {str(link.get_object().get("/Dest", ""))}
    assert outside and outside <= known
    names = {name for name in inside if name.startswith("nb-")}
    assert len(names) > 5 and names <= set(paper.named_destinations)


def test_an_interval_stands_on_one_line_and_what_follows_may_stand_on_the_next(texts):
    written = " ".join(texts)
    assert len(re.findall(r"\([+−][\d.]+\xa0to\xa0[+−][\d.]+\)", written)) > 50
    assert not re.findall(r"\)\S*\xa0", written)


IOFFE, BA = (
    f"[{name}](https://doi.org/10.48550/arXiv.{number})"
    for name, number in (("Ioffe & Szegedy 2015", "1502.03167"), ("Ba 2016", "1607.06450"))
)


def test_one_notebook_lists_the_works_that_it_cites_in_order(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell(f"# Title\n\n{IOFFE}, {BA}, {IOFFE}.")])
    text = " ".join(read(tmp_path / "one.pdf", notebook)).replace("\xa0", " ")
    assert "Ioffe & Szegedy 2015 [1], Ba 2016 [2], Ioffe & Szegedy 2015 [1]." in text
    assert re.search(r"References\s+\[1\] S. Ioffe .*\s\[2\] J. L. Ba", text, re.S)
    assert "Fashion-MNIST" not in text and "authors of" not in text
    page, _ = exporters.HTMLReport().from_notebook_node(notebook)
    assert [a["href"] for a in Page(page).all("a") if "#ref-" in a["href"]] == [
        "#ref-ioffe-2015", "#ref-ba-2016", "#ref-ioffe-2015",
    ]  # fmt: skip


def test_a_notebook_that_cites_nothing_has_no_references(tmp_path):
    assert "References" not in " ".join(read(tmp_path / "none.pdf", made()))


# Tags ----------------------------------------------------------------------------------------


def test_tags_move_the_abstract_and_a_figure_to_the_front_and_leave_out_what_is_page_only(tmp_path):
    first, second = made(), new_notebook(cells=[new_markdown_cell("# Other title\n\nText.")])
    abstract = new_markdown_cell("# Heading\n\nIn short.", metadata={"tags": ["abstract"]})
    page_only = new_markdown_cell("For the page.", metadata={"tags": ["page-only"]})
    first.cells = [abstract, page_only, *first.cells]
    figure = first.cells[3]
    figure.metadata.tags = ["hide-input", "front-page"]
    merged = build.merge({"00_first": first, "01_other": second})
    text = " ".join(read(tmp_path / "paper.pdf", merged))
    parts = ("In short.", "Figure A3.", "This paper is a selection", "00 Heading", "Text.")
    places = [text.index(part) for part in parts]
    assert places == sorted(places) and text.count("Figure A3.") == text.count("In short.") == 1
    assert "For the page." not in text
    page, _ = exporters.HTMLReport().from_notebook_node(merged)
    places = [
        page.index(part) for part in ("In short.", "Figure A3.", "</header>", "00 Heading</a>")
    ]
    assert places == sorted(places) and page.count("Figure A3.") == page.count("In short.") == 1
    author = re.search(r"- name: (.*)", CITATION)[1]
    assert re.search(rf"<header>.*{author}.*{RELEASED.date()}.*</header>", page, re.S)
    assert page.index("00 Heading</a>") < page.index("For the page.")


def test_a_reference_to_a_table_is_a_link_and_the_paper_says_what_is_on_the_page_alone(tmp_path):
    def table(number, *tags):
        caption = new_output("display_data", {"text/markdown": f"**Table {number}.** Numbers."})
        html = pd.DataFrame([{"a": number}]).to_html(index=False)
        outputs = [caption, new_output("display_data", {"text/html": html})]
        return new_code_cell("1", outputs=outputs, metadata={"tags": ["hide-input", *tags]})

    text = "One (Table A1; 3 seeds), Tables 1, A1 and A2, 30 runs. A Table 30 high. **Table A1**"
    cells = [new_markdown_cell(text), table("A1"), table("A2", "page-only"), table("1")]
    merged = build.merge({"00_a": new_notebook(cells=cells)})
    page, _ = exporters.HTMLReport().from_notebook_node(merged)
    links = [a["href"] for a in Page(page).all("a") if a["href"].startswith("#table-")]
    assert links == ["#table-a1", "#table-1", "#table-a1", "#table-a2"]
    assert "web page" not in page
    said = " ".join(" ".join(read(tmp_path / "paper.pdf", merged)).replace("\xa0", " ").split())
    assert "(Table A1; 3 seeds), Tables 1, A1 and A2, on the web page, 30 runs. A Table 30" in said


def test_the_ledger_of_the_paper_has_no_columns_of_detail(tmp_path):
    row = {"id": "H1", "claim": "Text.", "what is tested": "DETAIL", "prediction": "HELD"}
    table = pd.DataFrame([row]).to_html(index=False)
    amended = pd.DataFrame([{"id": "H1", "amendment": "Why."}]).to_html(index=False)
    tables = [new_output("display_data", {"text/html": html}) for html in (table, amended)]
    caption = new_output("display_data", {"text/markdown": "**Table A1.** Amendments."})
    merged = build.merge({"00_a": new_notebook(cells=[
        new_code_cell("1", outputs=tables[:1], metadata={"tags": ["ledger", "hide-input"]}),
        new_code_cell("2", outputs=[caption, *tables[1:]], metadata={"tags": ["hide-input"]}),
    ])})  # fmt: skip
    text = " ".join(read(tmp_path / "ledger.pdf", merged))
    assert "DETAIL" not in text and "HELD" not in text and re.search("H1†\\s+Text.", text)
