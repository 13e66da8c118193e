"""The map of the stools: what it says where there is none to draw."""

import pandas as pd
import pytest

from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.tables.changes import ORDINATION
from rabiomarkers.tables.outcomes import OUTCOMES

NO_TREE = "weighted UniFrac left out: the stools have no tree in common"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            {"metric": "weighted UniFrac", "name": "weighted_unifrac", "n_samples": 0, "note": NO_TREE},
            f"No map of the stools by weighted UniFrac: 0 stool samples compared, 3 are needed; {NO_TREE}.",
        ),
        (
            {"metric": "Bray-Curtis", "name": "bray_curtis", "n_samples": 2, "note": ""},
            "No map of the stools by Bray-Curtis: 2 stool samples compared, 3 are needed.",
        ),
        (
            {"metric": "Jaccard", "name": "jaccard", "n_samples": 6, "note": None},
            "No map of the stools by Jaccard: 6 stool samples compared, and they do not differ.",
        ),
        # results of an earlier version do not say how many were compared
        ({"metric": "Jaccard", "name": "jaccard"}, "No map of the stools by Jaccard: the results hold none."),
        (None, "No map of the stools: the results hold none."),
    ],
)
def test_where_there_is_no_map_the_reason_is_the_one_that_holds(facts, said):
    other = pd.DataFrame({"sample_id": ["a"], "patient_id": ["A"], "timepoint": ["pre"], "axis_1": 0.1, "axis_2": 0.2})
    rows = ORDINATION.check(other.assign(metric="aitchison")[list(ORDINATION.columns)])
    for ordination in (ORDINATION.empty(), rows if facts else ORDINATION.empty()):
        assert ordination_map(ordination, OUTCOMES.empty(), stool=facts, contrast=["pre", "post"]) == said
