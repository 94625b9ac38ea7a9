"""What is not there: a set, a peer; skipped by name with this reason, never the end of a run."""

from __future__ import annotations


class Missing(Exception):
    """A set that cannot be had, or a peer that cannot run; the message is the reason."""
