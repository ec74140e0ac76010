"""The version of the package, which its own modules read as well."""

__version__ = "0.1.0"
