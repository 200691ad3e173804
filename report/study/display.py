"""What a notebook shows: numbered figures and tables, saved too; computed prose; code in view."""

import inspect
import io
import re
import textwrap
from base64 import b64encode
from collections.abc import Callable
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from report.study import archive

NUMBER = r"–|nan|[+−-]?\d[\d ]*(\.\d+)?(e[+−-]?\d+)?[ ×%*]*"


def figure(drawn: Figure, number: str, caption: str, alt: str) -> None:
    """Display the figure and its caption, and save it under its number as SVG and PNG."""
    drawn.draw_without_rendering()  # the layout needs two passes until every label has its room
    drawn.savefig(_file("figures", number, "svg"), metadata={"Date": None})
    png = _png(drawn)
    _file("figures", number, "png").write_bytes(png)
    plt.close(drawn)
    width = round(100 * drawn.get_figwidth())
    bundle = {"image/png": b64encode(png).decode(), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt, "width": width}, "alt": alt})
    _caption(number, caption)


def _png(drawn: Figure) -> bytes:
    """Quantized to 256 colours: no visible change, and a third of the bytes."""
    whole, small = io.BytesIO(), io.BytesIO()
    drawn.savefig(whole, dpi=170)
    Image.open(whole).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return small.getvalue()


def table(frame: pd.DataFrame, number: str, caption: str) -> None:
    """Display the table under its caption, and save it under its number as CSV.

    A cell that names a notebook is shown as a link to it, by its number; numbers stand to the
    right, texts to the left. A number and an interval stay on one line.
    """
    save_table(frame, number)
    _caption(number, caption)
    frame = frame.rename_axis(columns=None)  # for which pandas would add an empty column
    html = frame.to_html(index=False, border=0)
    html = re.sub(r"<td>((\w\d)_\w+\.ipynb[^<]*)</td>", r'<td><a href="\1">\2</a></td>', html)
    html = re.sub(r"\(([+−\d.]+) to ([+−\d.]+)\)", r"(\1&nbsp;to&nbsp;\2)", html)
    sides = cycle(["right" if _is_numeric(frame[name]) else "left" for name in frame])
    html = re.sub("<t([dh])>", lambda tag: _cell(tag[1], next(sides)), html)
    display({"text/html": html, "text/plain": frame.to_string(index=False)}, raw=True)


def _is_numeric(column: pd.Series) -> bool:
    return all(re.fullmatch(NUMBER, str(value)) for value in column)


def _cell(kind: str, side: str) -> str:
    whole = "; white-space: nowrap" if kind == "d" and side == "right" else ""
    return f'<t{kind} style="text-align: {side}{whole}">'


def save_table(frame: pd.DataFrame, name: str) -> None:
    """Save the table under its name as CSV."""
    frame.to_csv(_file("tables", name, "csv"), index=False)


def prose(text: str) -> None:
    """Display a paragraph whose numbers were computed."""
    display({"text/markdown": text, "text/plain": text}, raw=True, metadata={"prose": True})


def source(*functions: Callable) -> None:
    """Show the code of functions as it stands in their files, without their docstrings."""
    codes = (textwrap.dedent(inspect.getsource(function)).rstrip() for function in functions)
    text = "\n\n\n".join(re.sub(r'\n +""".*?"""', "", c, count=1, flags=re.S) for c in codes)
    display({"text/markdown": f"```python\n{text}\n```", "text/plain": text}, raw=True)


def _caption(number: str, caption: str) -> None:
    text = f"**{number}.** {caption}"
    bundle = {"text/markdown": text, "text/plain": text}
    display(bundle, raw=True, metadata={"caption": _slug(number)})


def _slug(number: str) -> str:
    return number.lower().replace(" ", "-")


def _file(kind: str, number: str, ending: str):
    folder = archive.ROOT / "build" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{_slug(number)}.{ending}"
