"""Settings of origins that cannot be meant."""

import pytest
from pydantic import ValidationError

from benchmark.fetch import Origin, RemoteFile


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "../a"}, "no path below"),
        ({"name": "/a"}, "no path below"),
        ({"name": ".lock"}, "no path below"),
        ({"name": "a.part"}, "ends in"),
        ({"into": "a/../.."}, "no path below"),
        ({"sha256": "abc"}, "sha256"),
        ({"size": 0}, "size"),
        ({"urls": ("ftp://h.example/a",)}, "no URL"),
        ({"urls": ("https://me:secret@h.example/a",)}, "no URL"),
        ({"unpack": "gz"}, "must end in .gz"),
        ({"unpack": "rar"}, "unpack"),
        ({"mirror": "x"}, "mirror"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RemoteFile.model_validate({"name": "a", "urls": ("https://h.example/a",), **wrong})


@pytest.mark.parametrize(
    ("files", "terms", "said"),
    [
        ([{"name": "a"}], {}, "no URL"),
        ([{"name": "a"}], {"access": "restricted"}, "register_at"),
        ([{"name": "a", "optional": True}, {"name": "a", "optional": True}], {}, "one name"),
        ([{"name": "a", "optional": True}, {"name": "a/b", "optional": True}], {}, "lies in another"),
        ([], {}, "empty"),
    ],
)
def test_origins_that_cannot_be_meant_are_refused(files: list[object], terms: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Origin.model_validate({"homepage": "h", "licence": "l", "citation": "c", "files": files, **terms})
