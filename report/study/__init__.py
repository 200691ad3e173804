"""What the notebooks show: runs, what they decide, and figures of both.

What is trained: arms, experiments; beyond normlib's norms: variants, row_reader, your_norm
How: sweep reads or trains; pool has workers; each worker is a process of recording
What is kept: record, provenance (by which code), archive; verify trains again
What it says: comparisons, statistics, claims/; sweep_errors, probe_results, the lotteries
What is shown: figures and *_figures draw, display numbers and saves
exercises/: sheets that name a student's mistake, and their grading
"""
