"""The Prefect face of the pipeline.

Prefect reads its settings when it is first imported, so what must hold on every machine is set here, before any flow imports it:
no telemetry, no page that asks another host, time enough for the embedded server to start. What the user has set stays.
"""

import os

SAFE_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}

for _name, _value in SAFE_SETTINGS.items():
    os.environ.setdefault(_name, _value)
