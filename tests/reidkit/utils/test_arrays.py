"""Arrays out of crafted pickles: numbers are rebuilt, everything else ends in words."""

import pickle
import struct

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint
from reidkit_plugins.eanet.published_labels import load_arrays

PLAIN = (3, "<", None, None, None, -1, -1, 0)


class Call:
    """Pickles as a call of a function, with a state."""

    def __init__(self, function, arguments, state=None):
        self.made_of = function, arguments, state

    def __reduce__(self):
        return self.made_of


def array(code, state=PLAIN, shape=(2,), data=b"A" * 16, fortran=False):
    dtype = Call(np.dtype, (code, False, True), state)
    return Call(
        np._core.multiarray._reconstruct,
        (np.ndarray, (0,), b"b"),
        (1, shape, dtype, fortran, data),
    )


CRAFTED = {
    "objects over bytes": array("O", (3, "|", None, None, None, -1, -1, 0)),
    "objects": np.array([1, "a"], dtype=object),
    "flags of objects": array("i8", (3, "<", None, None, None, -1, -1, 63)),
    "fields": array("V8", (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)),
    "fields beyond the item": array(
        "V8", (3, "|", None, ("a",), {"a": (np.dtype("i8"), 4096)}, 8, 1, 0)
    ),
    "fields of a number": array("i8", (3, "<", None, ("a",), {"a": (np.dtype("i8"), 8)}, 8, 8, 0)),
    "another item size": array("i8", (3, "<", None, None, None, 4096, 8, 0)),
    "a sub-array": array("i8", (3, "<", (np.dtype("i8"), (9,)), None, None, -1, -1, 0)),
    "a state that is none": array("i8", ("x",)),
    "too few bytes": array("i8", shape=(1000,)),
    "a negative size": array("i8", shape=(-1,)),
    "a shape of text": array("i8", shape="ab"),
    "data of objects": array("i8", data=[1, 2]),
    "a record": np.zeros(2, [("a", "i4"), ("b", "f4")]),
    "text": np.array(["a", "b"]),
    "dates": np.zeros(2, "M8[s]"),
    "complex": np.zeros(2, complex),
    "never filled": Call(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b")),
    "a constructor's own memory": Call(np.ndarray, ((1 << 40,), np.dtype("u1"))),
    "a scalar of objects": Call(np._core.multiarray.scalar, (np.dtype("O"), b"A" * 8)),
    "a scalar of too few bytes": Call(np._core.multiarray.scalar, (np.dtype("f8"), b"A")),
}


@pytest.mark.parametrize("what", CRAFTED)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_crafted_array_in_a_pickle_ends_in_words(tmp_path, what, protocol):
    (tmp_path / "k.pkl").write_bytes(pickle.dumps({"a": CRAFTED[what]}, protocol))
    with pytest.raises(UserError, match="k.pkl: (refused: the pickle holds|not a readable pickle)"):
        load_arrays(tmp_path / "k.pkl")


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_array_in_a_checkpoint_ends_in_words(tmp_path, what):
    torch.save(dict(state_dict={}, meta=dict(epoch=[CRAFTED[what]])), tmp_path / "last.pth")
    with pytest.raises(UserError, match="last.pth: (refused, because|not a complete checkpoint)"):
        load_checkpoint(tmp_path / "last.pth")


@pytest.mark.parametrize(
    "code", ["?", "i1", "u1", "<i2", ">i2", "u2", "i4", ">u4", "i8", "u8", "f2", "<f4", ">f4", "f8"]
)
def test_numbers_of_every_kind_come_back(tmp_path, code):
    grid = np.arange(6).reshape(2, 3).astype(code)
    content = dict(
        c=grid, f=np.asfortranarray(grid), empty=grid[:0], point=grid[1, 1].reshape(()),
        one=grid[1, 2], deep=[(1, [grid])], dtype=grid.dtype,
    )  # fmt: skip
    torch.save(content, tmp_path / "a.pth")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, 2))
    for back in (load_checkpoint(tmp_path / "a.pth"), load_arrays(tmp_path / "a.pkl")):
        for name in ("c", "f", "empty", "point", "one"):
            old, new = np.asarray(content[name]), np.asarray(back[name])
            assert old.dtype == new.dtype and old.shape == new.shape, name
            assert old.tobytes() == new.tobytes(), name
        assert type(back["one"]) is type(grid[1, 2]) and back["dtype"] == grid.dtype
        assert back["deep"][0][0] == 1 and (back["deep"][0][1][0] == grid).all()
        assert back["f"].flags.f_contiguous and back["c"].flags.writeable


@pytest.mark.slow
def test_a_container_that_holds_itself_and_one_too_deep(tmp_path):
    ring = {"a": np.ones(2)}
    ring["self"] = [ring]
    (tmp_path / "k.pkl").write_bytes(pickle.dumps(ring))
    back = load_arrays(tmp_path / "k.pkl")
    assert back["self"][0] is back and back["a"].tolist() == [1, 1]
    (tmp_path / "k.pkl").write_bytes(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    with pytest.raises(UserError, match="nested too deep"):
        load_arrays(tmp_path / "k.pkl")


@pytest.mark.parametrize("content", [[1], 3, torch.ones(2), "text"], ids=lambda c: type(c).__name__)
def test_a_checkpoint_that_is_no_dict(tmp_path, content):
    torch.save(content, tmp_path / "last.pth")
    with pytest.raises(UserError, match=f"last.pth: holds a {type(content).__name__}"):
        load_checkpoint(tmp_path / "last.pth")


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\x89PNG\r\n\x1a\n" + bytes(100), struct.pack("9q", *range(9))]
)
def test_another_file_is_not_called_code(tmp_path, data):
    (tmp_path / "last.pth").write_bytes(data)
    with pytest.raises(UserError, match="last.pth: not a (complete )?checkpoint"):
        load_checkpoint(tmp_path / "last.pth")
