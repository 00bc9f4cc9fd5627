"""Why a probe has no answer."""

from __future__ import annotations


class NotTriedError(Exception):
    """The probe has nothing to look at here; the text says why."""


class CouldNotTellError(Exception):
    """The portal did something on the way that leaves the probe without an answer; the text says what."""
