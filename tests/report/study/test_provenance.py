"""What a record says of its origin: which sources, and which of them compute the same."""

import tomllib

import pytest

from normlib.arm import Arm
from report.study import archive, provenance

OWN = "def f(x, gamma, beta):\n    return x\n"


def test_every_archived_record_has_sources_that_are_listed_and_equal_to_the_present_ones():
    for record in archive.read([archive.COMMITTED]).values():
        assert provenance.known(record.sources), record.key
        assert provenance.equal(record.sources, provenance.sources(record.arm)), record.key


@pytest.mark.parametrize("arm", [
    Arm("batch", "free"), Arm("weight", probe="weights"), Arm("own", source=OWN),
    Arm("weight", "published"), Arm("batch", backward="constant mean"), Arm("rms", network="rnn"),
], ids=lambda arm: arm.label)  # fmt: skip
def test_what_the_archive_lacks_is_not_taken_for_edited(arm):
    assert provenance.known(provenance.sources(arm))


def test_the_list_names_its_evidence():
    for table in tomllib.loads(provenance.LIST.read_text("utf-8")).values():
        assert len(table["evidence"].split()) > 20


def test_a_hash_covers_what_its_arm_uses_and_no_more(monkeypatch):
    sound = provenance._code

    def changed(name):
        monkeypatch.setattr(
            provenance, "_code", lambda file: sound(file) + "changed" * (file.name == name)
        )
        provenance._hash.cache_clear()

    arms = {
        "bn": Arm("batch"), "wn": Arm("weight"), "free": Arm("layer", "free"),
        "own": Arm("own", source=OWN), "published": Arm("weight", "published"),
        "probed": Arm(probe="weights"), "rows": Arm("rms", network="rnn"),
    }  # fmt: skip
    before = {name: provenance.sources(arm) for name, arm in arms.items()}
    uses = {
        "ops.py": set(arms), "free.py": {"free"}, "weight_norm.py": {"wn", "published"},
        "variants.py": {"published"}, "your_norm.py": {"own"}, "probes.py": {"probed"},
        "sweep.py": set(), "row_reader.py": {"rows"},
    }  # fmt: skip
    for file, users in uses.items():
        changed(file)
        after = {name: provenance.sources(arm) for name, arm in arms.items()}
        assert {name for name in arms if after[name] != before[name]} == users, file
    monkeypatch.undo()
    provenance._hash.cache_clear()


def test_a_file_that_is_edited_meanwhile_is_hashed_anew(tmp_path, monkeypatch):
    """In a notebook, whose next run is trained by what the file has by then."""
    for name in provenance.EVERY:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    before = provenance.sources(Arm())
    (tmp_path / provenance.EVERY[0]).write_text("x = 2\n")
    assert provenance.sources(Arm()) != before


@pytest.mark.parametrize("text", ["[old", "[old]\n", "old = 1\n", "[old]\nequal = 1\n", None])
def test_a_damaged_list_of_sources_is_named(text, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "LIST", tmp_path / "sources.toml")
    if text is not None:
        provenance.LIST.write_text(text)
    provenance.listed.cache_clear()
    with pytest.raises(archive.ArchiveError, match=r"sources\.toml is no list .*restore it"):
        provenance.known("")


def test_sources_ignore_comments_and_docstrings_and_nothing_else(tmp_path):
    file = tmp_path / "code.py"
    texts = ['"""One."""\nx = 1  # why\n', '"""Two."""\nx = 1\n', '"""Two."""\nx = 2\n']
    codes = [file.write_text(text) and provenance._code(file) for text in texts]
    assert codes[0] == codes[1] != codes[2]


def test_sources_are_read_the_same_by_every_python(tmp_path):
    """ast.dump and ast.unparse differ between 3.11 and 3.13, so the archive would look changed."""
    file = tmp_path / "code.py"
    file.write_text("def f(x, *, y=None):\n    return f'{x!r} it\\'s', x[1:, 0]\n")
    assert provenance._code(file) == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')], "
        "kwonlyargs=[arg(arg='y')], kw_defaults=[Constant()]), body=[Return(value=Tuple(elts=["
        "JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=114), "
        "Constant(value=\" it's\")]), Subscript(value=Name(id='x', ctx=Load()), slice=Tuple(elts=["
        "Slice(lower=Constant(value=1)), Constant(value=0)], ctx=Load()), ctx=Load())], "
        "ctx=Load()))])])"
    )
