"""The deployed module without its source: torch.export and ONNX."""

from __future__ import annotations

import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np
import torch

from benchmark.testing.case import Case, Declined, require
from benchmark.testing.checks.outputs import logits

TOLERANCE = 1e-4
CONVERTED: set[str] = set()
"""Graphs that ONNX has computed rightly in this process: they are compared once, and differ in their numbers only."""


def check_exports(case: Case) -> None:
    """``torch.export`` gives the same logits, for another number of images too."""
    try:
        program = case.program.module()
    except Exception as error:
        raise AssertionError(f"torch.export fails: {type(error).__name__}: {error}") from error
    inputs = tuple(each[:5] for each in case.inputs(case.eight()))
    require_equal(logits(program, inputs).numpy(), case, inputs, "torch.export")


def check_exports_to_onnx(case: Case) -> None:
    """ONNX gives the same logits. Needs onnx, onnxscript and onnxruntime."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise Declined(f"not installed: {', '.join(missing)}")
    program = case.program
    graph = f"{program.graph} {[(name, value.shape) for name, value in program.state_dict.items()]}"
    if graph in CONVERTED:
        return
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            file: Any = torch.onnx.export(program, dynamo=True, optimize=False, verbose=False)
    except Exception as error:
        raise AssertionError(f"torch.onnx.export fails: {type(error).__name__}: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
    require(file is not None, "torch.onnx.export gives no program")
    session = onnxruntime.InferenceSession(file.model_proto.SerializeToString())
    inputs = tuple(each[:5].contiguous() for each in case.inputs(case.eight()))
    names = [each.name for each in session.get_inputs()]
    (found,) = session.run(None, {name: each.numpy() for name, each in zip(names, inputs, strict=True)})
    require_equal(found, case, inputs, "ONNX")
    CONVERTED.add(graph)


def require_equal(found: Any, case: Case, inputs: tuple[torch.Tensor, ...], what: str) -> None:
    """The exported logits are those of the module."""
    expected = logits(case.deployed, inputs).numpy()
    far = float(np.abs(found - expected).max())
    require(far <= TOLERANCE, f"{what} gives logits that are {far:.2g} away")
