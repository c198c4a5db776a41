"""What all contracts share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

UInt8 = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

VARIANTS = ("iid", "ood", "deceiving", "external")
"""What a trained model is tested on: bias as in training, no bias, another class's bias, other hospitals."""


class Options(BaseModel):
    """Base of every settings class: unknown keys are refused, values are coerced (``1e-3`` is a number)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
