"""Files of arrays: what numpy writes is read; damage, objects and bombs are refused in words."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reidkit.data.tables import arrays
from reidkit.data.tables.arrays import read_arrays
from reidkit.errors import UserError

ARRAYS = dict(
    features=np.arange(12, dtype=np.float32).reshape(4, 3),
    pids=np.array([1, 2, 3, 4]),
    paths=np.array(["a", "bé", "c", "d"]),
    flags=np.array([True, False, True, True]),
    big=np.arange(6, dtype=">f8").reshape(2, 3, order="F"),
)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)
    np.save(tmp_path / "a.npy", np.asfortranarray(ARRAYS["features"]))
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npy")["features"], ARRAYS["features"])


def packed(tmp_path, **members) -> str:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return tmp_path / "a.npz"


def written(shape: str, descr: str = "'<f4'", content: bytes = b"\0" * 16) -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n" + content


@pytest.mark.parametrize(
    "content, message",
    [
        (written("(1000000000000, 4)"), "claims float32 (1000000000000, 4), and has 16 bytes"),
        (written("(4, 2)"), "claims float32 (4, 2), and has 16 bytes for that"),
        (written("(-4,)"), "claims float32 (-4,)"),
        (written("(4,)", "'|O'"), "store numbers, and texts as fixed-width strings, not as obj"),
        (written("(4,)", "[('a', '<f4')]"), "store numbers"),
        (written("(1000000000000,)", "'<U0'", b""), "store numbers"),
        (written("(4,)", "'<M8[s]'", b"\0" * 32), "store numbers"),
        (written("(1,)", "'<U1'", b"\xff\xff\xff\x7f"), "letters that there are not"),
        (written("(1,)", "'<U1'", b"\x00\xd8\x00\x00"), "letters that there are not"),
        (written("(4,)", "'nonsense'"), "damaged, or no .npz file"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 40, "of numpy's format 9.0"),
        (b"GIF89a", "damaged, or no .npz file"),
        (b"", "damaged, or no .npz file"),
    ],
)
def test_arrays_that_cannot_be_are_refused(tmp_path, content, message):
    with pytest.raises(UserError) as caught:
        read_arrays(packed(tmp_path, features=content))
    assert message in str(caught.value)
    (tmp_path / "b.npy").write_bytes(content)
    with pytest.raises(UserError):
        read_arrays(tmp_path / "b.npy")


def test_a_file_that_unpacks_to_more_than_features_need_is_refused_unread(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((500, 500), np.float32))
    monkeypatch.setattr(arrays, "SMALL", 10_000)
    monkeypatch.setattr(arrays, "_array", lambda *_: pytest.fail("memory was asked for"))
    with pytest.raises(UserError, match="features do not pack so tightly"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_larger_than_the_memory_is_refused_unread(tmp_path, monkeypatch, save):
    save(tmp_path / "a.npz", features=np.ones((50, 50), np.float32))
    monkeypatch.setattr(arrays.os, "sysconf", lambda name: 64)  # 64 pages of 64 bytes
    monkeypatch.setattr(arrays, "_array", lambda *_: pytest.fail("memory was asked for"))
    with pytest.raises(UserError, match="a.npz: claims 0.0 GB.* this machine has 0.0 GB"):
        read_arrays(tmp_path / "a.npz")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file, pytest.warns(UserWarning):
        for _ in range(2):
            file.writestr("features.npy", buffer.getvalue())
    with pytest.raises(UserError, match="two arrays 'features'"):
        read_arrays(tmp_path / "a.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.npz"
    np.savez_compressed(path, **ARRAYS)
    return path.read_bytes()


CLOSE = [HealthCheck.function_scoped_fixture]


@settings(max_examples=80, deadline=None, suppress_health_check=CLOSE)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_right(tmp_path, whole, data):
    """One byte changed anywhere: sizes and checksums leave nothing that reads otherwise."""
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place] ^= data.draw(st.integers(1, 255))
    for content in (bytes(flipped), whole[:place]):
        (tmp_path / "d.npz").write_bytes(content)
        try:
            found = read_arrays(tmp_path / "d.npz")
        except UserError:
            continue
        for name in set(found) & set(ARRAYS):
            np.testing.assert_array_equal(found[name], ARRAYS[name])


@settings(max_examples=40, deadline=None, suppress_health_check=CLOSE)
@given(content=st.binary(max_size=120))
def test_any_bytes_are_refused(tmp_path, content):
    for name in ("any.npz", "any.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError):
            read_arrays(tmp_path / name)
