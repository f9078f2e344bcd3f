import json
import os
import shutil
import signal
from dataclasses import replace

import cv2
import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose.generate import ensure_labels
from reidkit.pose.store import LabelStore


def in_child(work):
    """Run in a forked process; its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


def files(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def make(split, folder, labeller, **options):
    options = dict(part_maps=(12, 4), workers=0, shard=4) | options
    return ensure_labels(split, folder, lambda: labeller, **options)


def test_a_store_holds_what_the_labeller_said_in_the_order_of_the_paths(
    crops, tmp_path, mean_labeller
):
    split = crops(10)
    store = make(split, tmp_path / "store", mean_labeller())
    assert store.paths == list(split.paths)
    assert isinstance(store.keypoints, np.memmap)
    assert store.image_sizes.tolist() == [[40 + i, 20 + i % 4] for i in range(10)]
    from reidkit.pose.crops import read_crop

    for row in range(10):
        mean = read_crop(split, row).reshape(-1, 3).mean(0)
        assert np.allclose(store.keypoints[row, 0], mean, atol=1e-3)
    assert store.part_maps.shape == (10, 12, 4)
    assert store.meta["complete"] is True
    assert store.meta["fingerprint"] == split.fingerprint()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["images", "store"]


def test_a_complete_store_is_opened_not_made_again(crops, tmp_path, mean_labeller):
    split, first, second = crops(), mean_labeller(), mean_labeller()
    make(split, tmp_path / "store", first)
    make(split, tmp_path / "store", second)
    assert (first.calls, second.calls) == (5, 0)  # shards of 4 in batches of 3


def test_after_kill_9_only_what_is_missing_is_labelled(crops, tmp_path, mean_labeller):
    split = crops(12)
    whole = make(split, tmp_path / "whole", mean_labeller())
    child = in_child(lambda: make(split, tmp_path / "store", mean_labeller(stop_after=4)))
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with pytest.raises(UserError, match="no part labels here"):
        LabelStore.open(tmp_path / "store", split)
    rest = mean_labeller()
    store = make(split, tmp_path / "store", rest)
    assert rest.calls == 2  # two of three shards were done
    assert files(store.folder) == files(whole.folder)


def test_every_rank_labels_its_own_shards(crops, tmp_path, mean_labeller):
    split = crops(16)
    whole = make(split, tmp_path / "whole", mean_labeller())

    def rank(number):
        os.environ.update(RANK=str(number), WORLD_SIZE="2")
        labeller = mean_labeller()
        make(split, tmp_path / "store", labeller)
        assert labeller.calls == 4  # two of four shards, two batches each

    children = [in_child(lambda number=number: rank(number)) for number in (1, 0)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert files(tmp_path / "store") == files(whole.folder)


def test_labels_of_another_data_set_are_refused_with_the_first_difference(
    crops, tmp_path, mean_labeller
):
    split = crops(6)
    store = make(split, tmp_path / "store", mean_labeller())
    names = list(split.paths)
    names[4] = "other.jpg"
    with pytest.raises(UserError) as caught:
        LabelStore.open(store.folder, replace(split, paths=tuple(names)))
    assert str(caught.value) == (
        f"{store.folder}: labels of another data set: row 4 is '0004_c1.jpg' in the store and "
        "'other.jpg' in the data set; generate labels for 'toy/train', or correct the folder"
    )
    with pytest.raises(UserError) as caught:
        LabelStore.open(store.folder, replace(split, label_key="b/train"))
    assert str(caught.value) == f"{store.folder}: labels of 'toy/train', asked for 'b/train'"
    with pytest.raises(UserError, match="same files cut by other boxes"):
        LabelStore.open(store.folder, replace(split, boxes=np.ones((6, 4))))


def test_a_style_transferred_copy_and_a_selection_find_their_rows(crops, tmp_path, mean_labeller):
    split = crops(8)
    store = make(split, tmp_path / "store", mean_labeller())
    moved = tuple(f"styled/{name}" for name in split.paths)
    assert (LabelStore.open(store.folder, replace(split, paths=moved)).keypoints
            == store.keypoints).all()  # fmt: skip
    some = LabelStore.open(store.folder, split.select([5, 2]))
    assert (some.keypoints == store.keypoints[[5, 2]]).all()
    assert (some.part_maps == store.part_maps[[5, 2]]).all()


@pytest.mark.parametrize("name", ["keypoints.npy", "image_sizes.npy", "part_maps.npy"])
def test_a_cut_short_file_is_refused(crops, tmp_path, mean_labeller, name):
    split = crops(6)
    file = make(split, tmp_path / "store", mean_labeller()).folder / name
    content = file.read_bytes()
    for length in (len(content) - 5, 40, 0):
        file.write_bytes(content[:length])
        with pytest.raises(UserError) as caught:
            make(split, tmp_path / "store", mean_labeller())
        assert str(caught.value) == (
            f"{file}: damaged or cut short; delete the folder and generate the labels again"
        )
    file.unlink()
    with pytest.raises(UserError, match="missing from the label store"):
        LabelStore.open(tmp_path / "store", split)


def test_pickled_arrays_and_broken_descriptions_are_refused(crops, tmp_path, mean_labeller):
    split = crops(4)
    folder = make(split, tmp_path / "store", mean_labeller()).folder
    np.save(folder / "keypoints.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(UserError, match="damaged or cut short"):
        LabelStore.open(folder, split)
    meta = json.loads((folder / "meta.json").read_text())
    for change, text in (
        ({"complete": False}, "the label store is not complete"),
        ({"format": 9}, "label store of format 9, this version reads 1"),
    ):
        (folder / "meta.json").write_text(json.dumps({**meta, **change}))
        with pytest.raises(UserError, match=text):
            LabelStore.open(folder, split)
    (folder / "meta.json").write_text('{"format": 1')
    with pytest.raises(UserError, match="not readable as JSON"):
        LabelStore.open(folder, split)


def test_labels_of_other_weights_are_made_anew_by_a_run(crops, tmp_path, mean_labeller, capsys):
    split, newer = crops(), mean_labeller(version=2)
    make(split, tmp_path / "store", mean_labeller())
    store = make(split, tmp_path / "store", newer)
    assert newer.calls == 5
    assert store.meta["pose"]["weights_sha256"] == "v2"
    assert capsys.readouterr().err.count(
        f"{tmp_path / 'store'}: labels were made with weights_sha256 'v1', now 'v2': making them "
        "anew"
    )


def test_labels_made_by_command_are_kept_by_runs_and_replaced_only_by_force(
    crops, tmp_path, mean_labeller, capsys
):
    split, folder = crops(), tmp_path / "store"
    make(split, folder, mean_labeller(), made_by="command")

    def never():
        raise AssertionError("the labeller must not be built")

    store = ensure_labels(split, folder, never, part_maps=(12, 4))
    assert store.meta["pose"]["weights_sha256"] == "v1"
    assert capsys.readouterr().err.strip().endswith(": using labels of command: mean")
    newer = mean_labeller(version=2)
    with pytest.raises(UserError, match="weights_sha256 'v1', now 'v2'; --force replaces them"):
        make(split, folder, newer, made_by="command")
    store = make(split, folder, newer, made_by="command", force=True)
    assert store.meta["pose"]["weights_sha256"] == "v2"


def test_other_part_maps_are_painted_from_the_same_keypoints(crops, tmp_path, mean_labeller):
    split, folder = crops(), tmp_path / "store"
    make(split, folder, mean_labeller(), part_maps=None)
    again = mean_labeller()
    store = make(split, folder, again, part_maps=(24, 8))
    assert again.calls == 0
    assert store.part_maps.shape == (10, 24, 8)


def test_the_data_sets_own_joints_and_part_labels_need_no_labeller(crops, tmp_path):
    split = crops(5)
    for number, name in enumerate(split.paths):
        label = np.full((40, 20), number, np.uint8)
        cv2.imwrite(str(split.root / name.replace(".jpg", ".png")), label)
    keypoints = np.random.default_rng(0).uniform(0, 20, (5, 17, 3))
    pngs = tuple(name.replace(".jpg", ".png") for name in split.paths)
    own = replace(split, keypoints=keypoints, part_label_paths=pngs)

    def never():
        raise AssertionError("the labeller must not be built")

    store = ensure_labels(own, tmp_path / "store", never, (6, 3), shard=2)
    assert np.allclose(store.keypoints, keypoints, atol=1e-5)
    assert store.image_sizes.tolist() == [[40 + i, 20 + i % 4] for i in range(5)]
    assert [np.unique(row).tolist() for row in store.part_maps] == [[i] for i in range(5)]


def test_a_folder_of_part_labels(crops, tmp_path, mean_labeller):
    split, folder = crops(4), tmp_path / "pngs"
    folder.mkdir()
    with pytest.raises(UserError) as caught:
        make(split, tmp_path / "store", mean_labeller(), part_labels=folder)
    assert str(caught.value) == (
        f"{folder}: no part label for 4 of 4 crops, the first is 0000_c0.png "
        "(also looked for 0000_c0.png)"
    )
    for name in split.paths:
        cv2.imwrite(str(folder / name.replace(".jpg", ".png")), np.full((9, 9), 3, np.uint8))
    store = make(split, tmp_path / "store", mean_labeller(), part_labels=folder)
    assert (store.part_maps == 3).all()
    cv2.imwrite(str(folder / "0001_c1.png"), np.full((9, 9), 200, np.uint8))
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(UserError, match="part labels must be 0..7, found 200; expected one"):
        make(split, tmp_path / "store", mean_labeller(), part_labels=folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_crop_is_named(crops, tmp_path, mean_labeller, workers):
    split = crops(12)
    (split.root / split.paths[7]).write_bytes(b"\xff\xd8 no image")
    with pytest.raises(UserError, match=f"{split.paths[7]}: it is"):
        make(split, tmp_path / "store", mean_labeller(), workers=workers)
    assert not (tmp_path / "store").exists()
