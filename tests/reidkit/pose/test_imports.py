"""Imported labels: a store of the user's, which nothing replaces unasked."""

import json

import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose.coco_json import coco_dict, export_coco
from reidkit.pose.crops import crop_sizes
from reidkit.pose.generate import ensure_labels
from reidkit.pose.imports import KeypointFile, import_labels
from reidkit.pose.store import LabelStore


@pytest.fixture
def file(crops, tmp_path):
    """Joints of five crops in a COCO file."""
    keypoints = np.random.default_rng(0).uniform(1, 20, (5, 17, 3))
    keypoints[..., 2] /= 20
    split = crops(5)
    export_coco(tmp_path / "k.json", coco_dict(split.paths, crop_sizes(split), keypoints))
    return tmp_path / "k.json"


def never():
    raise AssertionError("the labeller must not be built")


def test_imported_labels_make_a_store(crops, tmp_path, file):
    split, folder = crops(5), tmp_path / "store"
    store = import_labels(split, folder, KeypointFile(file), (12, 4))
    assert store.meta["made_by"] == "import" and store.meta["pose"]["config"] == "coco k.json"
    assert store.meta["quality"]["crops"] == 5 and store.part_maps.shape == (5, 12, 4)
    with pytest.raises(UserError, match="labels are there already; --force replaces them"):
        import_labels(split, folder, KeypointFile(file))
    again = import_labels(split, folder, KeypointFile(file), None, force=True)
    assert again.part_maps is None
    with pytest.raises(UserError, match="no label format named 'cocoa'; did you mean 'coco'?"):
        KeypointFile(file, "cocoa")


def test_crops_with_nobody_are_counted(crops, tmp_path, file, capsys):
    content = json.loads(file.read_text())
    content["annotations"].pop()
    file.write_text(json.dumps(content))
    store = import_labels(crops(5), tmp_path / "store", KeypointFile(file))
    assert "toy/train: no person found in 1 of 5 crops" in capsys.readouterr().err
    assert store.meta["nobody"] == 1 and not store.keypoints[4].any()
    with pytest.raises(UserError, match="nothing for 1 of 6 crops of toy/train"):
        import_labels(crops(6), tmp_path / "other", KeypointFile(file))
    source = KeypointFile(file, allow_missing=True)
    assert import_labels(crops(6), tmp_path / "other", source).meta["nobody"] == 2


def test_generated_labels_replace_imported_ones_only_when_that_is_said(
    crops, tmp_path, file, mean_labeller, capsys
):
    split, folder = crops(5), tmp_path / "store"
    import_labels(split, folder, KeypointFile(file), (12, 4))
    for options in (dict(made_by="command"), dict(made_by="command", force=True), dict(force=True)):
        with pytest.raises(UserError) as caught:
            ensure_labels(split, folder, never, (12, 4), **options)
        assert str(caught.value) == (
            f"{folder}: holds labels that were imported (coco k.json) and are not made again by "
            "anybody; --replace-imported replaces them by generated ones"
        )
    assert ensure_labels(split, folder, never, (12, 4)).meta["made_by"] == "import"
    said = capsys.readouterr().err
    assert "using labels of import: coco k.json (--replace-imported replaces them)" in said
    with pytest.raises(
        UserError, match="this run needs .24, 8.; import them with --part-maps 24 8"
    ):
        ensure_labels(split, folder, never, (24, 8))
    options = dict(made_by="command", replace_imported=True, workers=0)
    store = ensure_labels(split, folder, mean_labeller, (12, 4), **options)
    assert store.meta["made_by"] == "command"


def test_a_store_that_cannot_be_read_may_be_an_import(crops, tmp_path, file, mean_labeller):
    split, folder = crops(5), tmp_path / "store"
    import_labels(split, folder, KeypointFile(file), (12, 4))
    (folder / "meta.json").write_text("{")
    with pytest.raises(UserError, match="holds labels that were imported .labels that cannot be"):
        ensure_labels(split, folder, never, (12, 4), made_by="command", force=True)


def test_a_refused_import_leaves_the_old_labels(crops, tmp_path, file):
    split, folder = crops(5), tmp_path / "store"
    import_labels(split, folder, KeypointFile(file))
    content = json.loads(file.read_text())
    content["annotations"] = content["annotations"][:1]
    content["images"] = content["images"][:1]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="nothing for 4 of 5 crops"):
        import_labels(split, folder, KeypointFile(file), force=True)
    assert LabelStore.open(folder, split).meta["nobody"] == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["images", "k.json", "store"]


def test_base_names_of_people_in_folders_are_not_mixed_up(tmp_path, crops):
    """Three people whose crops have the same names; the file lacks one of them."""
    import simplejpeg

    from reidkit.data.split import Split

    paths = tuple(f"query/{person}/a.jpg" for person in ("0001", "0002", "0003"))
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(simplejpeg.encode_jpeg(np.zeros((40, 20, 3), np.uint8)))
    split = Split("own", "query", tmp_path, paths, [1, 2, 3], [0, 0, 0])
    keypoints = np.random.default_rng(0).uniform(1, 19, (3, 17, 3)) / (1, 1, 19)
    sizes = np.array([[40, 20]] * 3)
    for names, text in (
        (paths[:2], "nothing for 1 of 3 crops of own/query, the first is 'query/0003/a.jpg'"),
        (("a.jpg",), "'a.jpg' could be 'query/0001/a.jpg' or 'query/0002/a.jpg' or 1 more"),
    ):
        export_coco(
            tmp_path / "k.json", coco_dict(names, sizes[: len(names)], keypoints[: len(names)])
        )
        with pytest.raises(UserError, match=text):
            import_labels(split, tmp_path / "store", KeypointFile(tmp_path / "k.json"))
    relative = [path.removeprefix("query/") for path in paths]
    export_coco(tmp_path / "k.json", coco_dict(relative, sizes, keypoints))
    store = import_labels(split, tmp_path / "store", KeypointFile(tmp_path / "k.json"))
    seen = keypoints[..., 2] > 0.1
    assert np.allclose(store.keypoints[seen], keypoints[seen], atol=1e-3)
    source = KeypointFile(tmp_path / "k.json", among=["train/0001/a.jpg", *paths])
    with pytest.raises(UserError, match="could be 'query/0001/a.jpg' or 'train/0001/a.jpg'"):
        import_labels(split, tmp_path / "other", source)
