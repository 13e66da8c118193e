"""Who is told of a flow's progress: a flow's parameters are stored, so the listener is not one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rabiomarkers.progress import SILENT, Progress

_listeners: list[Progress] = [SILENT]


def listener() -> Progress:
    """The one set last."""
    return _listeners[-1]


@contextmanager
def watched_by(progress: Progress) -> Iterator[None]:
    """Tell `progress` of every stage while the context lasts."""
    _listeners.append(progress)
    try:
        yield
    finally:
        _listeners.pop()
