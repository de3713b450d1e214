"""The version, stated once: the package metadata and the citation file take it from here."""

__version__ = "0.1.0"
