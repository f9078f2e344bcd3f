"""Labels of files with odd names where the locale knows no UTF-8."""

import os
import subprocess
import sys

import pytest

LABEL_TWICE = """
import os, sys
import numpy as np
from reidkit.data.split import Split
from reidkit.pose.generate import ensure_labels

assert sys.getfilesystemencoding() == "ascii"
root = os.path.join(sys.argv[1], "images")
names = sorted(os.listdir(root))
split = Split("own", "train", root, tuple(names), [1] * len(names), [0] * len(names),
              keypoints=np.full((len(names), 17, 3), 0.5))
for _ in range(2):
    store = ensure_labels(split, os.path.join(sys.argv[1], "store"), None, (12, 4))
    assert store.paths == names, store.paths
"""


@pytest.mark.slow
def test_names_are_the_same_bytes_in_every_locale(tmp_path, crops):
    split = crops(3)
    names = [b"0.jpg", "é 日本.jpg".encode(), b"\xff\xfe.jpg"]
    for old, new in zip(split.paths, names, strict=True):
        os.rename(split.root / old, os.path.join(os.fsencode(split.root), new))
    plain = dict(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = subprocess.run(
        [sys.executable, "-c", LABEL_TWICE, str(tmp_path)],
        env={**os.environ, **plain}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "store" / "paths.txt").read_bytes().splitlines() == sorted(names)
