import json
from pathlib import Path

import numpy as np
import pytest

from reidkit.data import CocoPersons
from reidkit.pose.coco_json import coco_dict, export_coco
from reidkit.pose.crops import crop_sizes, read_crop
from reidkit.pose.generate import ensure_labels
from reidkit.pose.imports import KeypointFile

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "coco_sample"


def random_keypoints(count):
    rng = np.random.default_rng(0)
    found = rng.uniform(1, 20, (count, 17, 3)).round(2)
    found[..., 2] = rng.uniform(0, 1, (count, 17)).round(3)
    return found


def test_exported_keypoints_come_back(crops, tmp_path):
    split, keypoints = crops(5), random_keypoints(5)
    export_coco(tmp_path / "k.json", coco_dict(split.paths, crop_sizes(split), keypoints))
    back = KeypointFile(tmp_path / "k.json").fit(split).keypoints
    seen = keypoints[..., 2] > 0.1
    assert np.allclose(back[seen][:, 2], keypoints[seen][:, 2], atol=1e-5)
    assert np.allclose(back[seen][:, :2], keypoints[seen][:, :2], atol=1e-3)
    assert (back[~seen] == 0).all()


def test_pycocotools_reads_and_scores_the_export(crops, tmp_path, capsys):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    split, keypoints = crops(4), random_keypoints(4)
    content = coco_dict(split.paths, crop_sizes(split), keypoints)
    export_coco(tmp_path / "k.json", content)
    truth = COCO(str(tmp_path / "k.json"))
    results = [
        {k: a[k] for k in ("image_id", "category_id", "keypoints", "score")}
        for a in content["annotations"]
    ]
    scorer = COCOeval(truth, truth.loadRes(results), "keypoints")
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
    assert scorer.stats[0] == pytest.approx(1.0)


def test_flags_are_kept_and_hidden_joints_can_be_left_out():
    keypoints = np.ones((1, 17, 3))
    keypoints[0, :3, 2] = 0, 1, 2
    sizes = np.array([[4, 2]])
    flags = coco_dict(["a"], sizes, keypoints, flags=True)["annotations"][0]["keypoints"]
    assert flags[:9] == [0, 0, 0, 0.5, 0.5, 1, 0.5, 0.5, 2]
    flags = coco_dict(["a"], sizes, keypoints, flags=True, hidden=False)["annotations"][0]
    assert flags["keypoints"][:9] == [0, 0, 0, 0, 0, 0, 0.5, 0.5, 2]
    assert flags["num_keypoints"] == 1


@pytest.mark.data
@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no ../shared/data/coco_sample")
def test_real_photographs_become_crops_with_joints_and_part_maps(tmp_path):
    reader = CocoPersons(
        str(SAMPLE.parent), "coco_sample", "test_coco.json", ".", min_ratio=0, min_joint_groups=1
    )
    split = reader.splits()["train"]
    assert len(split) >= 4
    sizes = crop_sizes(split)
    for row in range(len(split)):
        assert read_crop(split, row).shape[:2] == tuple(sizes[row])
    seen = split.keypoints[..., 2] > 0
    places = split.keypoints[..., :2]
    inside = (places > -2) & (places < sizes[:, None, ::-1] + 2)
    assert inside.all(-1)[seen].mean() > 0.95  # COCO has a few joints outside their box

    def never():
        raise AssertionError("the labeller must not be built")

    store = ensure_labels(split, tmp_path / "store", never)
    assert (store.image_sizes == sizes).all()
    whole = seen.all(1)
    assert all(len(np.unique(row)) >= 6 for row in store.part_maps[whole])
    assert store.part_maps.reshape(len(split), -1).any(1).mean() > 0.5
    export_coco(tmp_path / "k.json", coco_dict(split.paths, sizes, split.keypoints, flags=True))
    assert len(json.loads((tmp_path / "k.json").read_text())["annotations"]) == len(split)
