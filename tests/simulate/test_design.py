"""Who takes part: responders, troubles, and that nobody depends on how many others there are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import RabiomarkersError
from rabiomarkers.simulate.design import design_trial, stream


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 15))
def test_patients_stay_the_same_when_others_join(seed, patients, more):
    few = design_trial(patients=patients, seed=seed)
    many = design_trial(patients=patients + more, seed=seed)
    assert many.patients[:patients] == few.patients


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_three_in_ten_respond(seed, tens):
    assert sum(patient.responder for patient in design_trial(patients=10 * tens, seed=seed).patients) == 3 * tens


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_the_first_four_hold_one_responder_and_three_others(seed):
    assert sum(patient.responder for patient in design_trial(patients=4, seed=seed).patients) == 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_two_patients_miss_samples_and_one_library_fails(seed):
    design = design_trial(seed=seed)
    missing = [(p.patient_id, s.part, s.timepoint) for p in design.patients for s in p.samples if s.missing]
    poor = [(p.patient_id, s.part) for p in design.patients for s in p.samples if s.poor]
    assert sorted(part for _, part, _ in missing) == ["genes", "stool", "tumour"]
    assert {timepoint for _, _, timepoint in missing} == {"post"}
    assert [part for _, part in poor] == ["tumour"]
    assert len({patient for patient, *_ in [*missing, *poor]}) == 3  # stool and its gene families are of one


def test_a_single_patient_has_every_sample():
    (patient,) = design_trial(patients=1).patients
    assert len(patient.samples) == 16  # eight parts, two timepoints
    assert not any(sample.missing or sample.poor for sample in patient.samples)


def test_every_kind_of_response_occurs_in_ten():
    assert {patient.best_response for patient in design_trial().patients} == {"CR", "PR", "SD", "PD"}


def test_batches_hold_five_patients_in_the_order_of_arrival():
    sizes = [(name, [patient.index for patient in group]) for name, group in design_trial(patients=11).batches()]
    assert sizes == [("batch-1", [1, 2, 3, 4, 5]), ("batch-2", [6, 7, 8, 9, 10]), ("batch-3", [11])]


def test_streams_of_patients_and_purposes_differ():
    draws = {stream(1, patient, purpose).integers(2**60) for patient in (1, 2) for purpose in ("tumour", "stool")}
    assert len(draws) == 4


def test_the_effect_changes_nobody():
    assert design_trial(effect="planted").patients == design_trial(effect="none").patients


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"patients": 0}, "0 patients"), ({"seed": -1}, "seed -1"), ({"effect": "some"}, "'planted' or 'none'")],
)
def test_trials_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(RabiomarkersError, match=message):
        design_trial(**arguments)
