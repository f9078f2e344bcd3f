import os
import pickle

import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose.imports import KeypointFile, import_labels
from reidkit_plugins.eanet.published_labels import load_arrays, read


def entry(number, height=40, width=20):
    kpt = np.full((17, 3), 0.5) + (number, 2 * number, 0)
    return {"kpt": kpt, "im_h_w": [height, width]}


@pytest.mark.parametrize("protocol", [2, 4])
def test_published_keypoints_are_read_by_path_or_base_name(tmp_path, crops, protocol):
    """Windows separators; joints of an image twice as large as the crop."""
    split = crops(3)
    content = {"bounding_box_train\\" + name: entry(2 * i, 80 + 2 * i, 40 + 2 * i)
               for i, name in enumerate(split.paths)}  # fmt: skip
    (tmp_path / "k.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    source = KeypointFile(tmp_path / "k.pkl", "eanet/pickle")
    store = import_labels(split, tmp_path / "store", source, (6, 2))
    assert store.keypoints[2, 0].tolist() == [2.25, 4.25, 0.5]
    assert store.image_sizes.tolist() == [[40 + i, 20 + i] for i in range(3)]
    assert store.meta["pose"]["config"] == "eanet/pickle k.pkl"


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


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dict(kpt=np.zeros((14, 3))), "expected 'kpt' of 17 x 3 numbers and 'im_h_w'"),
        (dict(kpt=np.full((17, 3), np.nan)), r"kpt\[0\] is nan; expected a finite number"),
        (
            dict(kpt=np.full((17, 3), 50.0)),
            "confidence of nose is 50; expected a number from 0 to 1",
        ),
        (dict(kpt=np.tile((900, 1, 1.0), (17, 1))), "nose is at x=900, y=1, far outside the image"),
        (dict(im_h_w=[0, 20]), "im_h_w is 0, 20; expected pixels from 1"),
        (dict(im_h_w=[-40, 20]), "im_h_w is -40, 20"),
        (dict(im_h_w=[20, 40]), "joints of an image of 40x20 pixels, and '0000_c0.jpg' has 20x40"),
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path, crops, change, text):
    split, file = crops(1), tmp_path / "k.pkl"
    file.write_bytes(pickle.dumps({split.paths[0]: entry(1) | change}))
    with pytest.raises(UserError, match=text):
        KeypointFile(file, "eanet/pickle").fit(split)


def test_other_files_are_refused(tmp_path, crops):
    file = tmp_path / "k.pkl"
    with pytest.raises(UserError, match="cannot be read"):
        load_arrays(file)
    file.write_bytes(pickle.dumps([1]))
    with pytest.raises(UserError, match="expected a dict by image path, found list"):
        read(file)
    file.write_bytes(pickle.dumps({"0000_c0.jpg": entry(0)}))
    with pytest.raises(UserError, match="nothing for 1 of 2 crops of toy/train"):
        KeypointFile(file, "eanet/pickle").fit(crops(2))
    file.write_bytes(pickle.dumps({"a": 1})[:-3])
    with pytest.raises(UserError, match="not a readable pickle"):
        load_arrays(file)
