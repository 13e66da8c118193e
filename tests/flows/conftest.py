"""One Prefect server for the session."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def prefect_server():
    """Prefect's test server; yields the folder that holds its database."""
    import flows  # noqa: F401, I001  its settings come before Prefect
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield Path(PREFECT_API_DATABASE_CONNECTION_URL.value().split("///", 1)[1]).parent
