"""Importing normlib: silent, whatever the processor makes TensorFlow say, and soon done."""

import os
import subprocess
import sys

import normlib


def test_importing_a_sweep_prints_nothing_and_does_not_wait_for_scipys_statistics():
    code = "import sys, report.study.sweep; sys.exit('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_c_code_writes_during_the_import_is_dropped_and_later_errors_are_not(
    tmp_path, monkeypatch, capfd
):
    (tmp_path / "greeting.py").write_text("import os\nos.write(2, b'hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    normlib._import_quietly("greeting")
    os.write(2, b"an error")
    assert capfd.readouterr().err == "an error"
