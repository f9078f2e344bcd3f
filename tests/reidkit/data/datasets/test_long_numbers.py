"""Numbers of more digits than int64 holds, in every name of every published layout."""

import contextlib
import os
import re

import pytest

import reidkit.data.datasets  # noqa: F401  (registers the readers)
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.testing.fuzz.doors.layouts import LAYOUTS


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_name_with_a_number_that_is_too_long_is_refused_or_means_nothing(name, tmp_path):
    root, options, make_tree = LAYOUTS[name]
    make_tree(tmp_path / root)
    first = {}  # one of each folder, the deepest first
    for path in sorted((tmp_path / root).rglob("*[0-9]*"), key=lambda path: -len(path.parts)):
        first.setdefault((path.parent.parent, path.suffix), path)
    assert first
    for path in list(first.values())[:2]:
        for digits in re.finditer("[0-9]+", path.name):
            long = path.name[: digits.start()] + "9" * 25 + path.name[digits.end() :]
            os.replace(path, path.with_name(long))
            reader = DATASETS.build(
                dict(type=name, **options), dict(data_root=str(tmp_path), settings=None)
            )
            with contextlib.suppress(UserError):
                reader.splits()
            os.replace(path.with_name(long), path)
