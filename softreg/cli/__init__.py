"""The command line: one file per command, each of which parses, makes one call of `softreg.workflows`, and prints.

Nothing here imports numpy or anything that does at the top of a file, so that ``--help`` and ``--version`` answer at
once; the bodies of commands import what they use.
"""

from softreg.cli.app import main

__all__ = ["main"]
