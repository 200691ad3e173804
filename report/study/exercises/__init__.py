"""Exercises that name the student's mistake, and their grading: see report/TEACHERS.md."""
