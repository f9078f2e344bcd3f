"""Tiny trees in the layouts of published data sets, for the door of their readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reidkit.testing.fuzz.doors.crops import picture


def put(root: Path, names: Iterable[str]) -> None:
    """Images of these names."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), picture(number, 32, 16))


def market(root: Path) -> None:
    """Market-1501: identity and camera in the name."""
    put(root, (
        "bounding_box_train/0002_c1s1_000451_03.jpg", "bounding_box_train/0002_c2s1_000301_01.jpg",
        "bounding_box_train/0007_c3s3_077419_03.jpg", "query/0001_c1s1_001051_00.jpg",
        "query/0003_c4s6_015641_00.jpg", "bounding_box_test/-1_c1s1_000401_03.jpg",
        "bounding_box_test/0000_c1s1_000151_01.jpg", "bounding_box_test/0001_c2s1_000401_02.jpg",
        "bounding_box_test/0003_c6s1_001051_00.jpg",
    ))  # fmt: skip


def duke(root: Path) -> None:
    """DukeMTMC-reID: the same folders, other names."""
    put(root, (
        "bounding_box_train/0001_c2_f0046182.jpg", "bounding_box_train/0007_c8_f0000001.jpg",
        "query/0005_c2_f0046985.jpg", "bounding_box_test/0002_c1_f0044158.jpg",
        "bounding_box_test/0005_c5_f0051341.jpg",
    ))  # fmt: skip


def msmt(root: Path) -> None:
    """MSMT17: lists of path and identity."""
    rows = {
        "train": ["0000/0000_000_01_0303morning_0008_0.jpg 0"],
        "val": ["0001/0001_003_14_0303noon_0008_1.jpg 1"],
        "query": ["0000/0000_001_05_0303morning_0008_0.jpg 0"],
        "gallery": ["0001/0001_000_03_0303morning_0008_0.jpg 1",
                    "0000/0000_000_02_0303morning_0008_0.jpg 0"],
    }  # fmt: skip
    for name, lines in rows.items():
        folder = "test" if name in ("query", "gallery") else "train"
        put(root / folder, [line.split()[0] for line in lines])
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n")


def mars(root: Path) -> None:
    """MARS: tables of tracklets over lists of names."""
    from scipy.io import savemat

    train = [("0002", 2, 1, 1, 3), ("0002", 2, 4, 2, 1), ("0009", 9, 2, 1, 2)]
    test = [("00-1", -1, 1, 1, 2), ("0000", 0, 3, 1, 2), ("0004", 4, 1, 1, 4), ("0004", 4, 2, 2, 2)]
    for part, rows in (("train", train), ("test", test)):
        names: list[str] = []
        table = []
        for folder, identity, camera, track, count in rows:
            own = [f"{folder}C{camera}T{track:04d}F{f:03d}.jpg" for f in range(1, count + 1)]
            table.append([len(names) + 1, len(names) + count, identity, camera])
            names += own
            put(root / f"bbox_{part}/{folder}", own)
        (root / "info").mkdir(exist_ok=True)
        (root / f"info/{part}_name.txt").write_text("".join(f"{n}\n" for n in names))
        content = {f"track_{part}_info": np.array(table, np.int32)}
        savemat(root / f"info/tracks_{part}_info.mat", content)
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([[3]], np.int32)})


def prid(root: Path) -> None:
    """PRID2011: two cameras, a file of ten divisions."""
    for camera in "ab":
        for person in range(1, 5):
            folder = root / f"multi_shot/cam_{camera}/person_{person:04d}"
            put(folder, [f"{f:04d}.png" for f in range(1, 23)])
    used = [f"person_{p:04d}" for p in range(1, 5)]
    splits = [dict(train=used[:2], test=used[2:])] * 10
    (root / "splits_prid2011.json").write_text(json.dumps(splits))


def viper(root: Path) -> None:
    """VIPeR: pairs by number."""
    for number in (0, 3, 4, 9):
        put(root, (f"cam_a/{number:03d}_45.bmp", f"cam_b/{number:03d}_90.bmp"))


def grid(root: Path) -> None:
    """GRID: probes, a gallery with distractors, and a .mat file of partitions."""
    from scipy.io import savemat

    for number in range(1, 7):
        put(root, (f"probe/{number:04d}_1_00004_107_32_106_221.jpeg",
                   f"gallery/{number:04d}_2_00010_10_32_60_121.jpeg"))  # fmt: skip
    put(root, ("gallery/0000_3_00001_1_2_33_66.jpeg",))
    cells = np.empty((1, 10), object)
    for number in range(10):
        struct = np.empty((1, 1), [("features", object), ("labels", object), ("trainIdx", object)])
        struct[0, 0] = (np.zeros((2, 3)), np.zeros((1, 1)), np.array([[1.0, 2.0, 3.0]]))
        cells[0, number] = struct
    savemat(root / "features_and_partitions.mat", {"trainIdxAll": cells, "features": np.eye(2)})


def duke_video(root: Path) -> None:
    """DukeMTMC-VideoReID: folders of tracklets."""
    put(root, [f"train/0001/0005/0001_C6_F{f:04d}_X3{f:04d}.jpg" for f in (2, 11)])
    for part in ("query", "gallery"):
        put(root, [f"{part}/0003/0001/0003C2F{f:04d}X00{f}.jpg" for f in (9, 10, 100)])
    put(root, ("gallery/0003/0002/0003_C4_F0001_X1.jpg", "gallery/0080/0003/0080_C4_F0001_D1.jpg"))


def lsvid(root: Path) -> None:
    """LS-VID: lists of prefixes."""
    import h5py

    rows = {
        "train": [("train/data/0000/0000_00_01_0001", 0), ("train/data/0000/0000_00_01_00011", 0)],
        "test": [("test/data/0001/0001_00_03_0001", 1), ("test/data/0001/0001_00_15_0002", 1)],
    }
    (root / "list_sequence").mkdir(parents=True)
    for part, lines in rows.items():
        text = "".join(f"{prefix} {identity}\n" for prefix, identity in lines)
        (root / f"list_sequence/list_seq_{part}.txt").write_text(text)
        put(root, [f"{prefix}_{f}.jpg" for prefix, _ in lines for f in (2, 10, 1)])
    with h5py.File(root / "test/data/info_test.mat", "w") as file:
        file["query"] = np.array([[2.0]])


def coco_persons(root: Path) -> None:
    """COCO's people: photographs and one JSON."""
    put(root, ("train2017/a.jpg", "train2017/b.jpg"))
    joints = [v for j in range(17) for v in (2 + j % 10, 3 + j % 20, 2)]
    people: list[dict[str, Any]] = [
        dict(id=n, image_id=n % 2 + 1, bbox=[1, 1, 12, 30], keypoints=joints, iscrowd=0,
             num_keypoints=17, area=360, category_id=1)
        for n in (11, 12, 13)
    ]  # fmt: skip
    images = [
        dict(id=n, file_name=name, height=32, width=16) for n, name in ((1, "a.jpg"), (2, "b.jpg"))
    ]
    content = dict(images=images, annotations=people, categories=[dict(id=1, name="person")])
    (root / "annotations").mkdir()
    (root / "annotations/person_keypoints_train2017.json").write_text(json.dumps(content))


def partial(root: Path) -> None:
    """Partial-REID: three folders, no cameras."""
    put(root, ("partial_body_images/001_001.jpg", "occluded_body_images/002_001.jpg",
               "whole_body_images/001_001.jpg", "whole_body_images/002_001.jpg"))  # fmt: skip


def cuhk01(root: Path) -> None:
    """CUHK01: four images of each person, in one folder."""
    put(root, [f"campus/{p:04d}{i:03d}.png" for p in range(1, 5) for i in range(1, 5)])


# reader, its folder below data_root, options, what makes the tree
LAYOUTS: dict[str, tuple[str, dict[str, Any], Callable[[Path], None]]] = {
    "Market1501": ("market1501", {}, market),
    "DukeMTMCreID": ("DukeMTMC-reID", {}, duke),
    "MSMT17": ("msmt17", {}, msmt),
    "MARS": ("mars", {}, mars),
    "PRID2011": ("prid2011", dict(split=3), prid),
    "VIPeR": ("viper", dict(split=None), viper),
    "GRID": ("grid", {}, grid),
    "DukeMTMCVideoReID": ("dukemtmcvideo", {}, duke_video),
    "LSVID": ("lsvid", {}, lsvid),
    "CocoPersons": ("coco", {}, coco_persons),
    "PartialREID": ("Partial-REID_Dataset", {}, partial),
    "CUHK01": ("cuhk01", dict(test_people=2, split=3), cuhk01),
}
