"""The report: exporters of executed notebooks to HTML and PDF, and the build that uses them."""
