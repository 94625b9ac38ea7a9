"""What can go wrong for a user, each kind with the exit code the command line gives it.

A message is one line: the place, the finding, the way out.
"""

from __future__ import annotations


class SoftregError(Exception):
    """Any error that softreg raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(SoftregError):
    """The command, an option or a configuration file is not usable."""

    exit_code = 2


class DataError(SoftregError, ValueError):
    """The data cannot be read, or cannot be learned from."""

    exit_code = 3


class ModelFileError(SoftregError):
    """A model file is missing, damaged, untrusted, or newer than this program."""

    exit_code = 4


class OutputError(SoftregError):
    """A result cannot be written where it was asked for."""

    exit_code = 5


class FitError(SoftregError):
    """The fit diverged, a gradient is wrong, or ``--strict`` was not met."""

    exit_code = 6


class ResourceError(SoftregError):
    """The work would not fit in memory or another limit."""

    exit_code = 7


class GateError(SoftregError):
    """A ``--require`` condition does not hold."""

    exit_code = 8
