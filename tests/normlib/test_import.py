"""Importing normlib: silent, whatever the processor makes TensorFlow say, and soon done."""

import os
import subprocess
import sys

import pytest

import normlib

PRINT_BACKEND = "import normlib.layers, keras; print(keras.backend.backend())"


def run(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


def test_importing_a_sweep_prints_nothing_and_does_not_wait_for_scipys_statistics():
    done = run("import sys, report.study.sweep; sys.exit('scipy.stats' in sys.modules)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_c_code_writes_during_the_import_is_dropped_and_later_errors_are_not(
    tmp_path, monkeypatch, capfd
):
    (tmp_path / "greeting.py").write_text("import os\nos.write(2, b'hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    normlib._import_quietly("greeting")
    os.write(2, b"an error")
    assert capfd.readouterr().err == "an error"


def test_another_backend_of_keras_is_refused_in_one_sentence():
    done = run("import normlib.arm", KERAS_BACKEND="jax")
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
        "ImportError: Keras uses jax: set KERAS_BACKEND=tensorflow before importing it."
    )


def test_a_keras_that_was_imported_with_another_backend_is_refused(tmp_path):
    """As its keras.json may have said; the backends themselves are not installed here."""
    (tmp_path / "keras.py").write_text("class config:\n    backend = staticmethod(lambda: 'torch')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras, normlib.arm"
    done = run(code)
    assert done.stderr.endswith(
        "Keras uses torch: set KERAS_BACKEND=tensorflow before importing it.\n"
    )


@pytest.mark.slow
def test_a_keras_json_with_another_backend_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.delenv("KERAS_BACKEND")
    done = run(PRINT_BACKEND, KERAS_HOME=str(tmp_path))
    assert done.stdout == "tensorflow\n", done.stderr
