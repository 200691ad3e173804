"""Figures as drawings that take the page's colours: dark on a light page, light on a dark one.

A notebook holds each figure as PNG. Where `study/display.py` saved the very same PNG, the SVG that
it saved beside it takes its place, with rounded coordinates and two colours for each of its own.
"""

import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from collections.abc import Iterable
from colorsys import hls_to_rgb, rgb_to_hls
from pathlib import Path

from matplotlib.colors import to_hex, to_rgb
from nbformat import NotebookNode

HERE = Path(__file__).parent
FOLDERS = (HERE / "figures", HERE / "build" / "figures")  # with each PNG the same as SVG
PAGE = "#16181c"  # the dark page, as report.css has it
DARKEST, LIGHTEST = 0.1, 0.95  # a grey's lightness on it
CONTRAST = 4.5  # of a colour with it
PNG, SVG = "image/png", "image/svg+xml"
NAMESPACE = "http://www.w3.org/2000/svg"


def draw(notebook: NotebookNode, folders: Iterable[Path] = FOLDERS) -> None:
    """Replace each PNG that is in one of these folders by the drawing beside it."""
    files = [file for folder in folders for file in sorted(folder.glob("*.png"))]
    drawings = {file.read_bytes(): file.with_suffix(".svg") for file in files}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        drawing = drawings.get(_picture(output))
        if drawing and drawing.exists():
            del output.data[PNG]
            output.data[SVG] = page_coloured(drawing.read_text("utf-8"))
            output.metadata[SVG] = output.metadata.pop(PNG, {})


def _picture(output: NotebookNode) -> bytes | None:
    try:
        return b64decode(output.data[PNG])
    except (AttributeError, KeyError, TypeError, ValueError):  # it shows none, or a broken one
        return None


def page_coloured(drawing: str) -> str:
    """Matplotlib's SVG, smaller, and in colours that follow the reader's scheme."""
    root = ElementTree.fromstring(drawing)
    _shorten(root)
    _unwrap(root)
    root.set("xmlns", NAMESPACE)
    text = ElementTree.tostring(root, "unicode").replace(" />", "/>")
    colours = sorted(set(re.findall(r"#[0-9a-f]{6}\b", text)))
    light, dark = (
        ";".join(f"--c{n}:{scheme(colour)}" for n, colour in enumerate(colours))
        for scheme in (str, dark_partner)
    )
    for number, colour in enumerate(colours):
        text = text.replace(colour, f"var(--c{number})")
    both = f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return text.replace("</style>", both + "</style>", 1)


def dark_partner(colour: str) -> str:
    """What stands for a colour on the dark page: greys mirrored, others as light as they need."""
    if colour == "#ffffff":
        return PAGE
    hue, lightness, saturation = rgb_to_hls(*to_rgb(colour))
    if saturation < 0.05:
        lightness = LIGHTEST - lightness * (LIGHTEST - DARKEST)
        return to_hex(hls_to_rgb(hue, lightness, saturation))
    while contrast(colour, PAGE) < CONTRAST:
        lightness += 0.01
        colour = to_hex(hls_to_rgb(hue, lightness, saturation))
    return colour


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as the Web Content Accessibility Guidelines define it."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in to_rgb(colour)]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# Making it smaller -------------------------------------------------------------------------------


def _shorten(root: ElementTree.Element) -> None:
    """Short names, rounded numbers; no metadata, no space between tags, no name that none uses."""
    names = {name: _letters(n) for n, name in enumerate(_used(root))}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for child in element.findall("*"):
            if child.tag.endswith("metadata"):
                element.remove(child)
        element.tail = None
        if element.tag != "style":
            element.text = None
        element.attrib = dict(_attributes(element.attrib, names))


def _used(root: ElementTree.Element) -> dict[str, None]:
    values = " ".join(value for element in root.iter() for value in element.attrib.values())
    return dict.fromkeys(re.findall(r"(?:(?<=^#)|(?<= #)|(?<=url\(#))[\w-]+", values))


def _letters(number: int) -> str:
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def _attributes(given: dict[str, str], names: dict[str, str]):
    for name, value in given.items():
        name = name.rpartition("}")[2]
        shift = re.fullmatch(r"translate\(([\d.]+) 0\)", value)
        if name == "id":
            if value in names:
                yield name, names[value]
        elif name == "href" and value.startswith("#"):
            yield name, "#" + names[value[1:]]
        elif name == "clip-path":
            yield name, f"url(#{names[value[5:-1]]})"
        elif name == "transform" and shift and "x" not in given:  # of a letter in its line
            yield "x", _rounded(shift[1])
        elif name in ("d", "x", "y", "points", "transform"):
            yield name, re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(value)).strip()
        elif name == "style":
            yield name, re.sub(r"([:;]) ", r"\1", value)
        else:
            yield name, value


def _rounded(numbers: str) -> str:
    """To a tenth of a point, which is about a pixel's tenth; scales to four digits."""

    def shorter(found: re.Match) -> str:
        value = float(found[0])
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.1f}".removesuffix(".0")

    return re.sub(r"-?\d+\.\d+(?!e)", shorter, numbers)


def _unwrap(element: ElementTree.Element) -> None:
    """Put the children of a group that says nothing in its place."""
    children = []
    for child in element:
        _unwrap(child)
        empty = not child.attrib and child.tag in ("g", "defs")
        children += list(child) if empty and (child.tag == "g" or not len(child)) else [child]
    element[:] = children
