"""The command line: thin, lazy, one line for every error."""

from tidemill.faces.cli.app import main

__all__ = ["main"]
