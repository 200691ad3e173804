"""Measures the lab's training step against its peers: `python3 lab.py bench`.

A folder of its own: the report's code imports no model code, and `normlib` knows no peers.
"""
