"""Clinical tables of few patients."""

import pandas as pd


def lesion(patient, *sizes):
    """A target lesion at days 0, 42, 84, ..."""
    days = [42 * visit for visit in range(len(sizes))]
    frame = pd.DataFrame({"patient_id": patient, "day": days, "lesion_id": "T1", "kind": "target", "mm": sizes})
    return frame.assign(status="measured", tenths=(frame["mm"] * 10).round().astype("Int64"))


def visit(patient, *codes):
    return pd.DataFrame(
        {"patient_id": patient, "day": [42 * (1 + place) for place in range(len(codes))], "overall_response": codes}
    )
