"""A made notebook with everything that the lab's have, and what a page of the report must be."""

import base64
import html
import io
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from report import build, page

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


DATA = ' type="application/json" id="lottery-data"'


class Page(HTMLParser):
    """Tags with their attributes, and the text outside code, annotations and styles."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.skip = [], "", []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("annotation", "pre", "code", "style", "script"):
            self.skip.append(tag)

    def handle_endtag(self, tag):
        if self.skip and self.skip[-1] == tag:
            self.skip.pop()

    def handle_data(self, data):
        self.text += "" if self.skip else data

    def all(self, tag):
        return [attributes for found, attributes in self.tags if found == tag]


def check_scripts(source):
    """One script can run, which is returned: the policy has its hash, and all else is data."""
    scripts = re.findall(r"<script(.*?)>(.*?)</script", source, re.S | re.I)
    (running,) = (text for attributes, text in scripts if attributes != DATA)
    assert source.count("<script") == len(scripts)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', source)
    parts = dict(part.split(maxsplit=1) for part in html.unescape(policy).split("; "))
    assert parts.pop("style-src") == "'unsafe-inline'"  # attributes of tables
    assert f"script-src {parts.pop('script-src')}" == page.policy(running)
    assert parts.pop("img-src") == parts.pop("font-src") == "data:"
    assert set(parts) == {"default-src", "base-uri", "form-action"}
    assert set(parts.values()) == {"'none'"}
    return running


def check_page(source):
    check_scripts(source)
    page = Page(source)
    for tag, name in (("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")):
        assert all(a.get(name, "data:").startswith("data:") for a in page.all(tag)), tag
    assert not re.search(r"""url\(\s*["']?(?!data:)\w|@import""", source)
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
