"""What the notebooks show: runs, what they decide, and figures of both.

What is trained: arms, experiments; beyond normlib's norms: variants, row_reader, your_norm
How: sweep reads or trains (sweep_command from the shell); pool has workers, progress tells how far
  they are; each worker is a process of recording, which answers in json_lines
What is kept: record, provenance (by which code), archive, archive_csv, in turns; verify checks it
What is measured otherwise: probes, first_step, gradient_check, keras_comparison
What it says: comparisons, live_runs, statistics, claims/; sweep_errors, probe_results, lotteries
What is shown: figures and *_figures draw, answer_tables has tables, display numbers and saves
exercises/: sheets that name a student's mistake, and their grading
"""
