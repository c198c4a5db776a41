import io
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from ruamel.yaml import YAML

from benchmark.api import Options
from benchmark.cli.settings import flat_text, flow, plain, required

TEXT = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@given(VALUES)
def test_any_default_reads_back_from_its_line(value: Any) -> None:
    line = flow(value)
    assert "\n" not in line
    assert read(f"key: {line}\n") == {"key": value}


class Inner(Options):
    rate: float = 0.5
    names: tuple[str, ...] = ("on", "2")


class Outer(Options):
    text: str = Field("yes", description="a word that\n   looks like a truth")
    long: int = Field(3, description="word " * 60)
    inner: Inner = Inner(rate=2)
    kind: Literal["off", "x"] = "off"
    limit: float | None = None
    made: list[int] = Field(default_factory=lambda: [1, 2])
    must: int = Field(description="nobody can guess it")


def test_all_defaults_survive_the_file() -> None:
    text = flat_text("head", Outer)
    assert Outer(**read(text), must=1) == Outer(must=1)
    assert required(Outer) == ["must"]


def test_descriptions_choices_and_gaps_are_comments() -> None:
    lines = flat_text("head", Outer).splitlines()
    assert lines[:3] == ["# head", "# a word that looks like a truth", "text: yes"]
    assert max(map(len, lines)) <= 120
    assert lines[lines.index("kind: off") - 1] == "# one of off, x"
    assert lines[-2:] == ["# to be written; nobody can guess it", "# must:"]
    assert lines[lines.index("inner:") + 1 : lines.index("inner:") + 3] == ["  rate: 2.0", "  names: [on, '2']"]


def test_a_default_that_a_subclass_changes_keeps_its_explanation() -> None:
    class Child(Outer):
        text: str = "no"

    assert flat_text("head", Child).splitlines()[1:3] == ["# a word that looks like a truth", "text: no"]


def test_settings_objects_and_tuples_become_yamls_own_kinds() -> None:
    assert plain({"a": (1, Inner())}) == {"a": [1, {"rate": 0.5, "names": ["on", "2"]}]}
