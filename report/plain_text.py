"""What programs print, as a terminal would show it, and nothing that steers a terminal."""

import re

from nbformat import NotebookNode

ESCAPES = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])")
# Neither HTML nor a PDF can have these; half a surrogate pair not even a file of text.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
HALVES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """The text without escape sequences, overwritten where the cursor went back."""
    text = ESCAPES.sub("", text).replace("\r\n", "\n")
    return printable("\n".join(map(_overwritten, text.split("\n"))))


def _overwritten(line: str) -> str:
    if "\r" not in line and "\b" not in line:
        return line
    shown, at = [], 0
    for character in line:
        if character == "\r":
            at = 0
        elif character == "\b":
            at = max(at - 1, 0)
        else:
            shown[at : at + 1] = [character]
            at += 1
    return "".join(shown)


def printable(text: str) -> str:
    """The text without characters that no page can have."""
    return UNPRINTABLE.sub("", HALVES.sub("\ufffd", text.replace("\r", "\n")))


def clean(cell: NotebookNode) -> None:
    """Make every text of the cell's outputs printable, and what a program printed plain."""
    for output in cell.get("outputs", []):
        for key in {"text", "ename", "evalue", "traceback"} & set(output):
            output[key] = _each(output[key], plain)
        if "text/plain" in output.get("data", {}):
            output.data["text/plain"] = _each(output.data["text/plain"], plain)
        output.update(_each(output, printable))


def clean_source(cell: NotebookNode) -> None:
    """Make the cell's source printable, and its metadata."""
    cell.source, cell.metadata = printable(cell.source), _each(cell.metadata, printable)


def _each(value, function):
    if isinstance(value, str):
        return function(value)
    if isinstance(value, dict):
        return type(value)({function(key): _each(one, function) for key, one in value.items()})
    return [_each(one, function) for one in value] if isinstance(value, list) else value
