"""Every named fault is noticed, and by the property that is said to notice it."""

import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path

import cases
import mutants
import nbformat
import properties
import pytest

LAWS = {law.__name__: law for law in properties.SINGLE}
EQUATIONS = {equation.__name__: equation for equation in properties.EQUATIONS}


def property_of(name: str):
    """The property, as a function without arguments."""
    equation, case = re.fullmatch(r"(\w+)(?:\[(.*)\])?", name).groups()
    if case is None:
        return LAWS[equation]
    return lambda: EQUATIONS[equation](cases.CASES[case])


def normlib_modules():
    return [module for path, module in sys.modules.items() if path.startswith("normlib.")]


def damage(monkeypatch, mutant: mutants.Mutant) -> None:
    """Put the function with the fault in the place of the sound one."""
    module_name, *path, name = mutant.target.split(".")
    module = owner = importlib.import_module(f"normlib.{module_name}")
    for part in path:
        owner = getattr(owner, part)
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    source = re.sub(r'""".*?"""', '""', source, count=1, flags=re.S)  # formulas stand there too
    source = source.replace("super()", f"super({''.join(path)}, self)")
    assert source.count(mutant.old) == 1, f"{mutant.old!r} is not once in {mutant.target}"
    defined = {}
    exec(source.replace(mutant.old, mutant.new), vars(module), defined)
    sound = getattr(owner, name)
    monkeypatch.setattr(owner, name, defined[name])
    for user in normlib_modules():  # those that imported it by its name
        if getattr(user, name, None) is sound:
            monkeypatch.setattr(user, name, defined[name])


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda m: m.name.replace(" ", "_"))
def test_mutant_dies(mutant, monkeypatch):
    check = property_of(mutant.killer)
    damage(monkeypatch, mutant)
    with pytest.raises(
        (AssertionError, ValueError)
    ):  # one makes squares overflow, which is refused
        check()


def test_mutants_are_many_and_as_many_as_the_notebook_says():
    assert len({mutant.name for mutant in mutants.MUTANTS}) == len(mutants.MUTANTS) >= 40
    notebook = Path(__file__).parents[2] / "notebooks" / "04_custom_vs_tensorflow.ipynb"
    text = " ".join(cell.source for cell in nbformat.read(notebook, 4).cells)
    assert f"{len(mutants.MUTANTS)} deliberate faults" in " ".join(text.split())
