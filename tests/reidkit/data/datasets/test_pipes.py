"""A pipe in place of a list or table of a data set is refused, not waited for."""

import os

import numpy as np
import pytest

from reidkit.data import GRID
from reidkit.data.datasets.files import read_lines
from reidkit.data.datasets.matlab import read_mat
from reidkit.data.datasets.partitions import load_partitions
from reidkit.errors import UserError


@pytest.mark.parametrize(
    "read",
    [
        read_lines,
        lambda file: read_mat(file, "a"),
        lambda file: load_partitions(file, np.arange(3)),
    ],
    ids=["list", "MATLAB", "partitions"],
)
@pytest.mark.parametrize("kind", ["a pipe", "a link to itself", "endless", "a folder"])
def test_what_is_no_file(tmp_path, read, kind):
    file = tmp_path / "a.mat"
    if kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a folder":
        file.mkdir()
    else:
        file.symlink_to("a.mat" if kind == "a link to itself" else "/dev/zero")
    with pytest.raises(UserError, match="a.mat"):
        read(file)


def test_a_link_to_itself_beside_a_missing_set(tmp_path):
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "loop.mat").symlink_to("loop.mat")
    with pytest.raises(UserError, match=r"(?s)not found.*loop\.mat"):
        GRID(str(tmp_path)).prepare()
