"""What a method says of itself."""

from __future__ import annotations

import inspect

from pydantic import ValidationError

from benchmark.api import Needs, Options
from benchmark.cli.settings import description
from benchmark.registry import EXPLAINERS
from benchmark.testing.case import Case, require


def check_says_what_it_is(case: Case) -> None:
    """A docstring of its own, a source, needs, and the explainer through which it is trained, if any."""
    kind = type(case.method)
    about = kind.__doc__ if "__doc__" in vars(kind) else None
    require((about or "").strip(), f"{kind.__name__} has no docstring")
    require(isinstance(kind.source, str) and kind.source.strip(), f"{kind.__name__}.source names no paper")
    require(isinstance(case.method.needs, Needs), f"{kind.__name__}.needs is no benchmark.api.Needs")
    through = case.method.trained_through
    require(through is None or through in EXPLAINERS, f"trained_through={through!r} is no registered explainer")
    require(isinstance(case.method.masks_input, bool), f"{kind.__name__}.masks_input is no bool")


def check_refuses_unknown_settings(case: Case) -> None:
    """A misspelt option is an error, never ignored."""
    settings = type(case.method).Settings
    require(inspect.isclass(settings) and issubclass(settings, Options), "Settings is no subclass of Options")
    try:
        settings.model_validate({**case.method.settings.model_dump(), "no_such_option": 1})
    except ValidationError:
        return
    raise AssertionError("Settings takes the unknown option 'no_such_option'")


def check_describes_its_settings(case: Case) -> None:
    """Every option has a description: it becomes the comment in its YAML."""
    settings = type(case.method).Settings
    bare = [name for name in settings.model_fields if not description(settings, name)]
    require(not bare, f"options without a description: {', '.join(bare)}")


def check_has_phases(case: Case) -> None:
    """At least one phase has an epoch, and names tell phases apart in the log."""
    phases = case.method.phases(2)
    names = [phase.name for phase in phases]
    require(any(phase.epochs > 0 for phase in phases), "no phase trains")
    require(all(phase.epochs >= 0 for phase in phases), "a phase has less than no epochs")
    require(len(set(names)) == len(names) and all(names), f"names of phases: {names}")
