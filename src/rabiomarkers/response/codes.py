"""The words that RECIST 1.1 and iRECIST have for a visit's response, and what they have in common.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774; Seymour et al. 2017, iRECIST, PMID 28271869
"""

from rabiomarkers.errors import ResponseError
from rabiomarkers.tables.outcomes import RECIST_OF, RECIST_RESPONSES

PERSISTS = "NON-CR/NON-PD"
"""Non-target lesions that are neither gone nor worse, in a patient without a target lesion."""

BEST_FIRST = RECIST_RESPONSES
CODES = frozenset(BEST_FIRST)
NOT_DONE = "ND"
"""An assessment that did not take place; `admiralonco` tells it apart from NE."""
ALL_CODES = CODES | frozenset(RECIST_OF) | {NOT_DONE}
STABLE_OR_BETTER = frozenset({"CR", "PR", "SD", PERSISTS})
RESPONSES = frozenset({"CR", "PR"})

_SPELT = {code.upper(): code for code in ALL_CODES}


def normal_code(text: str) -> str:
    """The response as RECIST or iRECIST write it, whatever its case and blanks.

    Raises
    ------
    ResponseError
        It is none of theirs.
    """
    code = _SPELT.get("".join(text.split()).upper())
    if code is None:
        raise ResponseError(f"Response {text!r} is not known; expected one of {', '.join(sorted(ALL_CODES))}.")
    return code


def as_recist(code: str) -> str:
    """The word RECIST 1.1 has for a response of iRECIST: unconfirmed and confirmed progression are both PD."""
    return RECIST_OF.get(code, code)
