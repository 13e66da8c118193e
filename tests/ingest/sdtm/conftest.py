"""A place for one folder of domains."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the domains of a test lie."""
    return tmp_path / "sdtm"
