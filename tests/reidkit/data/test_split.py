from pathlib import Path

import numpy as np
import pytest

from reidkit.data.split import Split


def make(**change):
    base = dict(
        dataset="toy",
        name="train",
        root=Path("toy"),
        paths=("a.jpg", "b.jpg", "c.jpg"),
        identities=[9, -1, 4],
        cameras=[1, 2, 1],
    )
    return Split(**{**base, **change})


def test_fingerprint_depends_on_paths_identities_cameras_and_boxes_only():
    prints = [
        make(),
        make(paths=("a.jpg", "b.jpg", "d.jpg")),
        make(identities=[9, -1, 5]),
        make(cameras=[1, 2, 2]),
        make(boxes=np.zeros((3, 4))),
    ]
    assert len({split.fingerprint() for split in prints}) == len(prints)
    assert make(root=Path("elsewhere"), times=[0, 1, 2]).fingerprint() == make().fingerprint()


def test_fingerprint_is_stable_between_versions():
    assert make().fingerprint()[:16] == "1fe121646473825f"


def test_relabel_counts_by_sorted_identity_and_junk_is_no_identity():
    labels, count = make().relabel()
    assert labels.tolist() == [2, 0, 1] and count == 3
    assert make().num_identities == 2


def test_select_takes_every_array_along_and_keeps_the_label_key():
    split = make(
        times=[0.5, 1.5, 2.5],
        keypoints=np.arange(3 * 17 * 3).reshape(3, 17, 3),
        boxes=np.arange(12).reshape(3, 4),
        part_label_paths=("a.png", "b.png", "c.png"),
        label_key="other/train",
    )
    part = split.select([2, 0])
    assert part.paths == ("c.jpg", "a.jpg") and part.part_label_paths == ("c.png", "a.png")
    assert part.identities.tolist() == [4, 9] and part.times.tolist() == [2.5, 0.5]
    assert part.boxes[0].tolist() == [8, 9, 10, 11] and part.keypoints[1, 0, 0] == 0
    assert part.label_key == "other/train"
    mask = split.select(split.identities >= 0)
    assert mask.paths == ("a.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dict(identities=[1, 2]), "Split.identities must be (3,), got (2,)"),
        (
            dict(keypoints=np.zeros((3, 9, 3))),
            "Split.keypoints must be (3, 17, 3), got (3, 9, 3)",
        ),
        (dict(boxes=np.zeros((2, 4))), "Split.boxes must be (3, 4), got (2, 4)"),
        (dict(part_label_paths=("a.png",)), "Split.part_label_paths: 1 for 3 paths"),
    ],
)
def test_every_array_needs_one_row_per_path(change, text):
    with pytest.raises(ValueError) as error:
        make(**change)
    assert str(error.value) == text
