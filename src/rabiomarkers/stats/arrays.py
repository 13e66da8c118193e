"""Names for the arrays that the statistics pass around; how many axes they have, the docstrings say."""

import numpy as np
from numpy.typing import NDArray

type Vector = NDArray[np.float64]
type Matrix = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]
type Words = NDArray[np.object_]
