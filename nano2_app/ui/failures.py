"""Failures in one sentence."""

import logging

from nano2_app.errors import NanoError

_log = logging.getLogger(__name__)


def explain(error: Exception) -> str:
    """Say what went wrong in one sentence; a failure of ours is logged with its traceback."""
    if isinstance(error, NanoError):
        return str(error)
    _log.error("Unexpected failure", exc_info=error)
    return "Something failed inside the app; try again."
