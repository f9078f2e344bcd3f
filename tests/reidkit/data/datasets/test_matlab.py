"""Arrays of MATLAB files: whole numbers, or words."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from reidkit.data.datasets.matlab import read_mat
from reidkit.errors import UserError


def test_both_versions(tmp_path):
    rows = np.array([[1, 2], [3, 4], [5, 6]])
    savemat(tmp_path / "five.mat", {"rows": rows.astype(np.float64)})
    with h5py.File(tmp_path / "seven.mat", "w", userblock_size=512) as file:
        file["rows"] = rows.T
    for name in ("five", "seven"):
        assert read_mat(tmp_path / f"{name}.mat", "rows").tolist() == rows.tolist()


@pytest.mark.parametrize(
    "value, reason",
    [
        (np.array([[1.5]]), "not whole"),
        (np.array([[np.nan]]), "not whole"),
        (np.array([[1e300]]), "too large"),
        (np.array([[1 + 2j]]), "complex128"),
        (np.array([["a"]]), "it is <U1"),
        ({"a": 1}, "of cells"),
        (csc_matrix((1000, 1000)), "it is object"),
        (np.ones((2, 2, 2)), r"shape \[2, 2, 2\]"),
    ],
)
def test_arrays_of_anything_else_are_refused(tmp_path, value, reason):
    savemat(tmp_path / "a.mat", {"rows": value})
    with pytest.raises(UserError, match=f"no readable array 'rows' of whole numbers.*{reason}"):
        read_mat(tmp_path / "a.mat", "rows")


@pytest.mark.slow
def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "a.mat"
    savemat(file, {"rows": np.arange(400).reshape(20, 20)})
    whole = file.read_bytes()
    with pytest.raises(UserError, match="no readable array 'other'.*it has: rows"):
        read_mat(file, "other")
    rng = np.random.default_rng(0)
    for trial in range(12):  # trial 0 makes scipy's reader crash
        data = bytearray(whole)
        if trial % 2:
            del data[int(rng.integers(0, len(data))) :]
        else:
            for place in rng.integers(0, len(data), 8):
                data[place] ^= int(rng.integers(1, 256))
        file.write_bytes(bytes(data))
        try:
            read_mat(file, "rows")
        except UserError as error:
            assert file.as_posix() in str(error)
    with h5py.File(file, "w") as made:
        made.create_group("rows")
        made["wide"] = h5py.Empty("f8")
    for key in ("rows", "wide", "none"):
        with pytest.raises(UserError, match="no readable array"):
            read_mat(file, key)
