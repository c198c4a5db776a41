"""The published schema: it is the model's, every field is explained, and it judges as the model does."""

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated import RECORD as GOOD
from mutated import mutations
from pydantic import ValidationError

from benchmark.submission.record import Record, json_schema
from benchmark.submission.schema import FILE, text

SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
SILENT = {"$schema", "$defs", "title", "description", "default", "contentEncoding"}


def agrees(value, schema):
    """Whether a value fits a JSON Schema (2020-12), by the words of the standard; for the keywords that ours uses."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    checks = {
        "$ref": lambda ref: agrees(value, SCHEMA["$defs"][ref.removeprefix("#/$defs/")]),
        "anyOf": lambda parts: any(agrees(value, part) for part in parts),
        "type": lambda kind: {"integer": number and value == int(value), "number": number}.get(
            kind, isinstance(value, TYPES.get(kind, ()))
        ),
        "const": lambda wanted: number and value == wanted,
        "enum": lambda wanted: value in wanted,
        "minimum": lambda least: not number or value >= least,
        "maximum": lambda most: not number or value <= most,
        "exclusiveMaximum": lambda most: not number or value < most,
        "minLength": lambda least: not isinstance(value, str) or len(value) >= least,
        "maxLength": lambda most: not isinstance(value, str) or len(value) <= most,
        "pattern": lambda words: not isinstance(value, str) or bool(re.search(words.replace("$", r"\Z"), value)),
        "minItems": lambda least: not isinstance(value, list) or len(value) >= least,
        "maxItems": lambda most: not isinstance(value, list) or len(value) <= most,
        "items": lambda inner: not isinstance(value, list) or all(agrees(each, inner) for each in value),
        "minProperties": lambda least: not isinstance(value, dict) or len(value) >= least,
        "maxProperties": lambda most: not isinstance(value, dict) or len(value) <= most,
        "propertyNames": lambda inner: not isinstance(value, dict) or all(agrees(each, inner) for each in value),
        "required": lambda names: not isinstance(value, dict) or all(name in value for name in names),
        "properties": lambda inner: (
            not isinstance(value, dict) or all(agrees(value[name], inner[name]) for name in inner if name in value)
        ),
        "patternProperties": lambda inner: (
            not isinstance(value, dict)
            or all(agrees(value[n], part) for words, part in inner.items() for n in value if re.search(words, n))
        ),
        "additionalProperties": lambda inner: not isinstance(value, dict) or others(value, schema, inner),
    }
    return all(checks[key](told) for key, told in schema.items() if key not in SILENT)


def others(value, schema, inner):
    patterns = schema.get("patternProperties", {})
    names = [n for n in value if n not in schema.get("properties", {}) and not any(re.search(p, n) for p in patterns)]
    return not names if inner is False else all(agrees(value[n], inner) for n in names) if inner is not True else True


def test_the_file_is_the_models():
    assert FILE.read_text(encoding="utf-8") == text()
    assert json.loads(json.dumps(json_schema())) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("part", [SCHEMA, *SCHEMA["$defs"].values()], ids=lambda part: part["title"])
def test_every_field_is_explained_and_no_other_is_let_in(part):
    assert part["additionalProperties"] is False
    assert part["description"]
    assert all("description" in field for field in part["properties"].values())


def test_a_good_record_agrees_and_bad_ones_do_not():
    assert agrees(GOOD, SCHEMA)
    for field in ("schema_version", "protocol", "suite", "data", "seeds", "images", "logits", "sha256", "sees"):
        less = copy.deepcopy(GOOD)
        del less[field]
        assert not agrees(less, SCHEMA)
    for bad in ({"seeds": [1.5]}, {"seeds": list(range(101))}, {"gpu": 1}, {"images": {"odd": {}}}, {"task": "toy"}):
        assert not agrees(GOOD | bad, SCHEMA)


@settings(max_examples=100, deadline=None)
@given(
    record=mutations() | st.builds(lambda more: GOOD | more, st.dictionaries(st.sampled_from(list(GOOD)), st.none()))
)
def test_schema_and_model_judge_alike(record):
    try:
        Record.model_validate(record)
        fits = True
    except ValidationError as error:
        # JSON knows one kind of number: 3.0 is an integer by the standard, and ours refuses it.
        fits = False
        if {each["type"] for each in error.errors()} <= {"int_type", "string_unicode"}:
            return
    assert agrees(record, SCHEMA) == fits
