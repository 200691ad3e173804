"""Cells that no page can show as they are: what a report must make of each."""

import base64
import io
import struct
import zlib

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from pages import picture
from PIL import Image


def code(*outputs, source="show(1)"):
    return new_code_cell(source, execution_count=1, outputs=list(outputs))


def data(metadata=None, **kinds):
    kinds = {kind.replace("_", "/"): value for kind, value in kinds.items()}
    return new_output("display_data", kinds, metadata=metadata or {})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def text(source, **more):
    return new_markdown_cell(source, **more)


JPEG = io.BytesIO()
Image.new("RGB", (4, 4), "red").save(JPEG, "JPEG")
JPEG = base64.b64encode(JPEG.getvalue()).decode()
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(1)">
<script>alert(1)</script><rect width="5" height="5"/></svg>"""
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}}
FRAME = pd.DataFrame({"name": ["one", "<two>"], "value": [1, 2]})
ALT = "a picture has no alternative text"


def chunk(kind, content):
    whole = kind + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
TORN = b"\x89PNG\r\n\x1a\n" + HEADER + chunk(b"IDAT", b"no data") + chunk(b"IEND", b"")
TORN = base64.b64encode(TORN).decode()

# A cell, a piece of what the page says of it, and of the warning if there is one.
CELLS = {
    "escape sequences": (
        code(printed("\x1b[1m12/12\x1b[0m \x1b]8;;x\x07done\x1b(B")),
        ">12/12 done<",
        None,
    ),
    "a progress bar": (
        code(printed("1/9 [>...]\r9/9 [=]\b\b\b[#]   \nnext\r\n")),
        "9/9 [#]   ",
        None,
    ),
    "a traceback": (
        code(
            new_output(
                "error", ename="E\x1b[1m", evalue="\x00v", traceback=["\x1b[31mat\x00 1\x1b[0m"]
            )
        ),
        ">at 1",
        None,
    ),
    "control characters": (code(printed("a\x00b\x07c\x0bd\x0ce\x85f\ufffeg")), ">abcdefg<", None),
    "half a pair": (code(printed("a\ud83db")), ">a\ufffdb<", None),
    "Chinese": (code(printed("训练 10")), "训练 10", "no font of the PDF has 练 训"),
    "Chinese in a text": (text("## 训练\n\n[到](#训练) **练**"), "训练", "no font of the PDF has"),
    "Chinese in code": (code(source='print("训练")'), "训练", "no font of the PDF has"),
    "emoji": (code(printed("👩‍🔬 ✔️ 🇨🇭")), "👩‍🔬 ✔️ 🇨🇭", "no font of the PDF has"),
    "right to left": (code(printed("שלום مرحبا \u202eabc\u202c")), "שלום", None),
    "no alt text": (
        code(data(image_png=picture(), text_plain="<Figure>")),
        "A picture without",
        ALT,
    ),
    "an empty alt text": (
        code(data({"image/png": {"alt": "  "}}, image_png=picture())),
        "A picture without",
        ALT,
    ),
    "a quoted alt text": (
        code(data({"image/png": {"alt": 'a "b" \\ #c'}}, image_png=picture())),
        "&quot;b&quot;",
        None,
    ),
    "SVG": (code(data(**{"image_svg+xml": SVG})), "data:image/svg", ALT),
    "JPEG": (code(data(image_jpeg=JPEG)), "data:image/jpeg", ALT),
    "no picture": (code(data(image_png="AAAA", text_plain="x")), "[a picture]", "cannot be read"),
    "a torn picture": (
        code(data({"image/png": {"alt": "torn"}}, image_png=TORN)),
        "torn",
        "shown without its outputs",
    ),
    "a torn SVG": (code(data(**{"image_svg+xml": "<svg width='1' height='1'><g"})), "show", ""),
    "a frame": (code(data(text_html=FRAME.to_html(), text_plain="x")), "&lt;two&gt;", None),
    "a styled frame": (
        code(data(text_html=FRAME.style.highlight_max(subset="value").to_html())),
        ">value<",
        None,
    ),
    "a table with spans": (
        code(
            data(text_markdown="**Table 1.** Spans."),
            data(text_html="<table><tr><td colspan=2>a<tr><td>b<td>c</table>"),
        ),
        "Spans.",
        None,
    ),
    "a wide frame": (
        code(data(text_html=pd.DataFrame([["word"] * 60]).to_html())),
        'class="scroll"',
        None,
    ),
    "an empty table": (
        code(data(text_markdown="**Table 1.** None."), data(text_html="<table></table>")),
        "None.",
        None,
    ),
    "unclosed tags": (
        code(data(text_html="<div><b>bold<table><tr><td>x</main></body></html><!--")),
        "bold",
        None,
    ),
    "a script's output": (
        code(data(text_html="<div id=p></div><script>plot(1)</script>", text_plain="a plot")),
        ">a plot<",
        None,
    ),
    "a long line": (code(printed("x" * 100_000)), "x" * 100_000, None),
    "a long word": (text("x" * 50_000), "x" * 50_000, None),
    "many lines": (code(printed("line\n" * 5_000)), "line", None),
    "a widget": (
        code(new_output("display_data", WIDGET | {"text/plain": "Slider(1)"})),
        "Slider(1)",
        None,
    ),
    "a widget alone": (code(new_output("display_data", WIDGET)), "show", None),
    "JSON": (code(data(application_json={"a": [1]}, text_plain="<JSON>")), "JSON", None),
    "LaTeX": (code(data(text_latex=r"$\displaystyle x^{2}$", text_plain="x**2")), "<msup>", None),
    "an equation": (code(data(text_latex="\\begin{equation}x^2\\end{equation}")), "<msup>", None),
    "bad LaTeX": (
        code(data(text_latex=r"$\frac{1}{$", text_plain="1/")),
        r"\frac{1}{",
        "no valid TeX",
    ),
    "bad TeX": (text(r"Here $\frac{1}{$ it is"), r"\frac{1}{", r"no valid TeX math: \frac{1}{"),
    "a bad environment": (text("\\begin{align}\\frac{1\\end{align}"), r"\frac{1", "no valid TeX"),
    "stray TeX": (text(r"\foo{x} \ref{y} and $5 or $6"), "$5 or $6", None),
    "an attachment": (
        text(
            "![a dot](attachment:my%20dot.png)",
            attachments={"my dot.png": {"image/png": picture()}},
        ),
        'alt="a dot"',
        None,
    ),
    "an attachment elsewhere": (
        text("x ![](attachment:../x.png)", attachments={"../x.png": {"image/png": picture()}}),
        "x ",
        "",
    ),
    "a picture inside a text": (
        text(f"a ![dot](data:image/png;base64,{picture()}) b"),
        'alt="dot"',
        None,
    ),
    "a picture elsewhere": (
        text("![far](https://example.org/x.png)"),
        "[picture: far]",
        "is not in the notebook",
    ),
    "a file's picture": (text('![](x.png "t") <img src="/etc/y.png">'), "[x.png]", "x.png is not"),
    "a raw cell": (new_raw_cell("raw <script>alert(1)</script>"), "", None),
    "headings": (
        text("#### Deep\n\n# Title\n\n#\n\n## A\n\n## A\n\n# ![](x.png)"),
        "Deep",
        "x.png",
    ),
    "headings of outputs": (
        code(
            data(text_html="<h5 id=content>Five</h5><h5 id=content>Six</h5>"),
            data(text_markdown="# One"),
        ),
        "Five",
        None,
    ),
    "links to nowhere": (
        text("[a](#none) [b](99_none.ipynb#x) [c]() []()"),
        "a b c",
        "#none leads nowhere",
    ),
    "links": (
        text('[a](<https://x.org/a"b>) [b](x/y.csv) [c](#Part) [](#part)\n\n## Part'),
        "x/y.csv",
        None,
    ),
    "an anchor": (text('<a id="here"></a>There\n\n[to](#here)'), "--here", None),
    "citations": (text("@someone and [@other] and [^1] <x@y.org>"), "@someone", None),
    "raw formats": (
        code(data(text_markdown="---\na: [\n---\n\n`#panic()`{=typst} @x\n\n```{=typst}\n#x\n```")),
        "panic",
        None,
    ),
    "typst": (text('#panic() \\#read("x") <label> @ref $ * _ ` ~ //x /* '), "#panic()", None),
    "no source": (code(data(text_plain="shown"), source=""), "shown", None),
    "an empty cell": (text(""), "", None),
    "quoted code": (code(source="# {#nb-x}\n'''<b>'''"), "nb-x", None),
}
