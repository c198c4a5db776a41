"""Records that somebody changed at random."""

from __future__ import annotations

import copy

from hypothesis import strategies as st
from submitted import by_hand, predictions, signed

RECORD = by_hand(predictions(3))

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["iid", "ood", "erm", "isnet", "toy", "toy-corner", "A" * 640, "f" * 64, "../toy", 0, 1, 2, 3]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value, path=()):
    """Where the value can be changed: the path of every part of it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield (*path, key)
        yield from places(inner, (*path, key))


@st.composite
def mutations(draw):
    """A record with up to three parts replaced, removed, doubled or swapped, with its hash or with the old one."""
    record = copy.deepcopy(RECORD)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(list(places(record))))
        place = record
        for step in above:
            place = place[step]
        match draw(st.sampled_from(["replace", "remove", "double", "add"])):
            case "replace":
                place[last] = draw(VALUES)
            case "remove":
                del place[last]
            case "double" if isinstance(place, list):
                place.append(copy.deepcopy(place[last]))
            case _:
                if isinstance(place, dict):
                    place[draw(st.text(max_size=8))] = draw(VALUES)
        if not record:
            break
    return signed(record) if draw(st.booleans()) else record
