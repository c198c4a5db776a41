"""All checks of a method, one after the other or as one test each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from benchmark.testing.case import Case, Declined, make_case
from benchmark.testing.checks import declaration, export, losses, outputs, randomness, training

MODULES = (declaration, outputs, losses, randomness, training, export)
CHECKS: tuple[Callable[[Case], None], ...] = tuple(
    function for module in MODULES for name, function in vars(module).items() if name.startswith("check_")
)
"""Each takes a case and raises ``AssertionError`` where the method breaks the contract."""


@dataclass(frozen=True)
class Check:
    """One check of one method, ready to be called."""

    case: Case
    function: Callable[[Case], None]

    def __str__(self) -> str:
        return f"{self.case.name}-{self.function.__name__}"

    def run(self) -> str:
        """Empty when the method passes; else why the check does not apply. On one thread, as trainings run.

        Raises:
            AssertionError: If the method breaks the contract.
        """
        reason = self.case.skip.get(self.function.__name__)
        if reason is not None:
            return reason
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            self.function(self.case)
        except Declined as declined:
            return str(declined)
        finally:
            torch.set_num_threads(threads)
        return ""

    def __call__(self) -> None:
        """As a pytest test."""
        import pytest

        if reason := self.run():
            pytest.skip(reason)


def checks_of(method: Any, **settings: Any) -> list[Check]:
    """Every check of one method; they share what is dear to make."""
    case = make_case(method, **settings)
    return [Check(case, function) for function in CHECKS]


def check_method(method: Any, **settings: Any) -> dict[str, str]:
    """Runs all checks of a method.

    Args:
        method: A class (checked with its default settings), an instance or a :class:`Case`.
        settings: Fields of :class:`Case`: ``backbone="test_vit patch_size=7"``, ``size=64``,
            ``skip={"check_exports_to_onnx": "why"}``.

    Returns:
        Name of each check -> empty, or why it did not apply.

    Raises:
        AssertionError: If the method breaks the contract: every failed check with its reason.
    """
    told, failed = {}, []
    for check in checks_of(method, **settings):
        name = check.function.__name__
        try:
            told[name] = check.run()
        except Exception as error:  # a check that ends in any error has found one
            failed.append(f"{name}: {type(error).__name__}: {error}")
    if failed:
        raise AssertionError("\n".join([f"{len(failed)} of {len(CHECKS)} checks failed:", *failed]))
    return told


def parametrize_with_checks(methods: Iterable[Any], **settings: Any) -> Any:
    """A pytest decorator: the test's argument ``check`` is every check of every method in turn; call it.

    Args:
        methods: As in :func:`check_method`.
        settings: As in :func:`check_method`, for all of them.
    """
    import pytest

    return pytest.mark.parametrize("check", [each for one in methods for each in checks_of(one, **settings)], ids=str)
