"""Words that the notes of several tables have in common."""

from rabiomarkers.stats.multiplicity import ALPHA


def joined(*parts: str) -> str:
    """The parts that say something, one after the other."""
    return "; ".join(part for part in parts if part)


def number_of_patients(count: int) -> str:
    """ "1 patient", "2 patients"."""
    return "1 patient" if count == 1 else f"{count} patients"


def cannot_reach(floor: float, who: str) -> str:
    """That no data of these, such as "4 pairs", can give a p small enough; empty where they can, or where no p has a floor."""
    return f"cannot reach {ALPHA}: with {who} no p is below {floor:.3g}" if floor > ALPHA else ""
