import os
import pickle

import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose.imports import import_labels
from reidkit_plugins.eanet.published_labels import load_arrays, read


def entry(number):
    kpt = np.arange(51, dtype=np.float64).reshape(17, 3) + number
    return {"kpt": kpt, "im_h_w": [128, 64]}


@pytest.mark.parametrize("protocol", [2, 4])
def test_published_keypoints_are_read_by_path_or_base_name(tmp_path, crops, protocol):
    split = crops(3)
    content = {"bounding_box_train\\" + name: entry(i) for i, name in enumerate(split.paths)}
    (tmp_path / "k.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    keypoints, sizes = read(tmp_path / "k.pkl", split)
    assert keypoints[2, 0].tolist() == [2, 3, 4]
    assert sizes.tolist() == [[128, 64]] * 3
    store = import_labels(split, tmp_path / "store", tmp_path / "k.pkl", "eanet/pickle", (6, 2))
    assert store.meta["pose"]["config"] == "eanet/pickle k.pkl"
    assert (store.image_sizes == [128, 64]).all()


def test_a_python_2_pickle_is_read(tmp_path):
    # {'a': array([1, 2], int32)} as Python 2 with numpy 1.11 wrote it
    data = (
        b"\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq"
        b"\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02i4"
        b"q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq"
        b"\x0eb\x89U\x08\x01\x00\x00\x00\x02\x00\x00\x00q\x0ftq\x10bs."
    )
    (tmp_path / "two.pkl").write_bytes(data)
    assert load_arrays(tmp_path / "two.pkl")["a"].tolist() == [1, 2]


class _Evil:
    def __reduce__(self):
        return os.system, ("touch evil_was_here",)


def test_a_pickle_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = f"asks for {os.system.__module__}.system, and only numbers, text, lists, dicts and"
    for content, text in (
        ({"a": _Evil()}, asked),
        (np.array([_Evil()], dtype=object), "holds an array of dtype 'O8'; arrays hold"),
    ):
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(UserError) as caught:
            load_arrays("bad.pkl")
        assert str(caught.value).startswith(f"bad.pkl: refused: the pickle {text}")
    assert not (tmp_path / "evil_was_here").exists()


def test_other_files_are_refused(tmp_path, crops):
    split, file = crops(2), tmp_path / "k.pkl"
    with pytest.raises(UserError, match="cannot be read"):
        load_arrays(file)
    for content, text in (
        ([1], "expected a dict by image path, found list"),
        ({"0000_c0.jpg": entry(0)}, "no keypoints for '0001_c1.jpg' of toy/train"),
        ({name: {"kpt": np.zeros((14, 3))} for name in split.paths},
         "'0000_c0.jpg': expected 'kpt' of 17 x 3 numbers and 'im_h_w'"),
    ):  # fmt: skip
        file.write_bytes(pickle.dumps(content))
        with pytest.raises(UserError, match=text):
            read(file, split)
    file.write_bytes(pickle.dumps({"a": 1})[:-3])
    with pytest.raises(UserError, match="not a readable pickle"):
        load_arrays(file)
