"""Who takes part in a simulated trial, what each patient's best response will be, and which samples exist.

Every random number belongs to one patient and one purpose (`stream`), so a patient looks the same however many others there
are: adding a patient adds data and changes none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rabiomarkers.errors import RabiomarkersError

type Effect = Literal["planted", "none"]
type Response = Literal["CR", "PR", "SD", "PD"]
type Part = Literal["tumour", "pbmc", "cbc", "stool", "genes", "flow", "tcr", "proteins"]

TIMEPOINTS = {"pre": 0, "post": 42}
PARTS: tuple[Part, ...] = ("tumour", "pbmc", "cbc", "stool", "genes", "flow", "tcr", "proteins")
BATCH_SIZE = 5

# In every ten patients: 30 % respond, as the trial hopes for.
_RESPONDERS: tuple[Response, ...] = ("PR", "CR", "PR")
_OTHERS: tuple[Response, ...] = ("PD", "SD", "PD", "SD", "PD", "SD", "PD")
_BLOCK = len(_RESPONDERS) + len(_OTHERS)

_STREAMS = (
    *("shared", "response", "clinical", "sampling", "tumour", "pbmc", "cbc", "stool", "cells", "sex"),
    *("flow", "tcr", "proteins", "genes", "reagents", "blanks"),
)
_EVERYBODY = 0  # the "patient" of what all share: gene means, cell types, species


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One tube: `day` counts from first dose; `missing` was never taken, `poor` was taken and is not usable."""

    sample_id: str
    timepoint: str
    part: Part
    day: int
    missing: bool = False
    poor: bool = False


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One patient; `index` counts from 1 and names the patient's random streams."""

    patient_id: str
    index: int
    batch: str
    best_response: Response
    samples: tuple[Sample, ...]

    @property
    def responder(self) -> bool:
        """Complete or partial response."""
        return self.best_response in ("CR", "PR")

    def of(self, part: Part) -> tuple[Sample, ...]:
        """This patient's samples of one part, pre then post, those that were never taken among them."""
        return tuple(sample for sample in self.samples if sample.part == part)


@dataclass(frozen=True, kw_only=True)
class Design:
    """A trial before any measurement."""

    seed: int
    effect: Effect
    patients: tuple[Patient, ...]

    @property
    def planted(self) -> bool:
        """Whether treatment does anything."""
        return self.effect == "planted"

    def batches(self) -> Iterator[tuple[str, tuple[Patient, ...]]]:
        """Patients by batch, in the order of their arrival."""
        for name in dict.fromkeys(patient.batch for patient in self.patients):
            yield name, tuple(patient for patient in self.patients if patient.batch == name)


def stream(seed: int, patient: int, purpose: str) -> np.random.Generator:
    """The random numbers of one patient for one purpose; independent of every other patient and purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, patient, _STREAMS.index(purpose)]))


def shared_stream(seed: int, purpose: str) -> np.random.Generator:
    """The random numbers behind what all patients share in one part (gene means, cell profiles, species)."""
    return np.random.default_rng(np.random.SeedSequence([seed, _EVERYBODY, _STREAMS.index(purpose)]))


def design_trial(*, patients: int = 10, effect: Effect = "planted", seed: int = 1) -> Design:
    """Draw the trial: in every ten patients three respond (one of them among the first four), four progress, three are stable.

    Three non-responders of the first ten have a sample trouble, in the order of their arrival from patient 2 on: a missing
    post-treatment stool, a missing post-treatment biopsy, a failed tumour library. The smallest trials have fewer of them.

    Raises
    ------
    RabiomarkersError
        Fewer than one patient, a negative seed, or an effect that is neither planted nor none.
    """
    if patients < 1:
        raise RabiomarkersError(f"A trial of {patients} patients cannot be simulated; ask for 1 or more.")
    if seed < 0:
        raise RabiomarkersError(f"The seed {seed} is negative; random numbers need a seed of 0 or more.")
    if effect not in ("planted", "none"):
        raise RabiomarkersError(f"The effect {effect!r} is not known; choose 'planted' or 'none'.")
    responses = [response for block in range(-(-patients // _BLOCK)) for response in _block(seed, block)]
    trouble = _trouble(responses)
    return Design(
        seed=seed,
        effect=effect,
        patients=tuple(_patient(seed, index, responses[index - 1], trouble) for index in range(1, patients + 1)),
    )


def _block(seed: int, block: int) -> list[Response]:
    """Best responses of ten patients in their order; a responder and three non-responders are among the first four."""
    rng = stream(seed, block, "response")
    responders = [_RESPONDERS[i] for i in rng.permutation(len(_RESPONDERS))]
    others = [_OTHERS[i] for i in rng.permutation(len(_OTHERS))]
    early, late = [responders[0], *others[:3]], [*responders[1:], *others[3:]]
    return [early[i] for i in rng.permutation(len(early))] + [late[i] for i in rng.permutation(len(late))]


def _trouble(responses: list[Response]) -> dict[tuple[int, Part, str], str]:
    """What goes wrong, by patient, part and timepoint; of non-responders only, who in real trials are harder to biopsy again."""
    unlucky = [index for index, best in enumerate(responses[:_BLOCK], start=1) if best in ("SD", "PD") and index > 1]
    events: tuple[tuple[tuple[Part, ...], str, str], ...] = (
        (("stool", "genes"), "post", "missing"),
        (("tumour",), "post", "missing"),
        (("tumour",), "pre", "poor"),
    )
    happened = zip(unlucky, events, strict=False)
    return {(index, part, timepoint): what for index, (parts, timepoint, what) in happened for part in parts}


def _patient(seed: int, index: int, best: Response, trouble: dict[tuple[int, Part, str], str]) -> Patient:
    patient_id = f"P{index:03d}"
    rng = stream(seed, index, "sampling")
    days = {"pre": -int(rng.integers(0, 8)), "post": TIMEPOINTS["post"] + int(rng.integers(-3, 4))}
    samples = tuple(
        Sample(
            sample_id=f"{patient_id}-{timepoint}-{part}",
            timepoint=timepoint,
            part=part,
            day=days[timepoint],
            missing=trouble.get((index, part, timepoint)) == "missing",
            poor=trouble.get((index, part, timepoint)) == "poor",
        )
        for part in PARTS
        for timepoint in TIMEPOINTS
    )
    batch = f"batch-{(index - 1) // BATCH_SIZE + 1}"
    return Patient(patient_id=patient_id, index=index, batch=batch, best_response=best, samples=samples)
