"""Normalization from scratch: the ops, their layers, and the training loop of the lab report.

Nothing is imported here, so that records, figures and data can be read without TensorFlow.
"""

import os

# Before TensorFlow is first imported: its start-up notices would land in saved notebook outputs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
