"""The command line: text becomes objects here and nowhere else. One file a command; heavy imports wait inside it."""

from curvox.cli.main import app, main

__all__ = ["app", "main"]
