"""Lets an editable install have the data files that report/pyproject.toml names.

For an editable wheel setuptools asks its distribution whether it `has_data`, which none answers.
"""

from setuptools import Distribution, setup


class WithData(Distribution):
    """A distribution that answers."""

    def has_data(self) -> bool:
        """Whether there are data files."""
        return self.has_data_files()


setup(distclass=WithData)
