import errno
import json
import os
import shutil
import signal
from dataclasses import replace

import cv2
import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose import store_files
from reidkit.pose.generate import ensure_labels
from reidkit.pose.store import LabelStore
from reidkit.pose.store_meta import files_digest
from reidkit.utils import exchange
from reidkit.utils.io import sha256_file


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
        mean = read_crop(split, row).reshape(-1, 3).mean(0) / (1, 1, 255)
        assert np.allclose(store.keypoints[row, 0], mean, atol=1e-3)
    assert store.part_maps.shape == (10, 12, 4)
    assert store.meta["complete"] is True
    assert store.meta["fingerprint"] == files_digest(split)
    assert store.meta["quality"]["crops"] == 10
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


def test_a_selection_finds_its_rows(crops, tmp_path, mean_labeller):
    split = crops(8)
    store = make(split, tmp_path / "store", mean_labeller())
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
            f"{file}: damaged or cut short; delete the folder and generate or import the labels "
            "again"
        )
    file.unlink()
    with pytest.raises(UserError, match="missing from the label store"):
        LabelStore.open(tmp_path / "store", split)
    os.mkfifo(file)  # is not waited for
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
        ({"format": 9}, "label store of format 9, this version reads 2"),
    ):
        (folder / "meta.json").write_text(json.dumps({**meta, **change}))
        with pytest.raises(UserError, match=text):
            LabelStore.open(folder, split)
    (folder / "meta.json").write_text('{"format": 1')
    with pytest.raises(UserError, match="not readable as JSON"):
        LabelStore.open(folder, split)


def edit(file, change):
    array = np.load(file)
    change(array)
    np.save(file, array)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("keypoints", lambda a: a.__setitem__((3, 2, 0), np.nan)),
        ("keypoints", lambda a: a.__setitem__((3, 2, 2), 50)),
        ("keypoints", lambda a: a.__setitem__((3, 2, 2), -1)),
        ("keypoints", lambda a: a.__setitem__(slice(None), np.roll(a, 1, 0))),
        ("image_sizes", lambda a: a.__setitem__((0, 1), 0)),
        ("image_sizes", lambda a: a.__setitem__(slice(None), a[:, ::-1].copy())),
        ("part_maps", lambda a: a.__setitem__((1, 1, 1), 9)),
    ],
)
def test_changed_numbers_are_refused_even_with_new_checksums(
    crops, tmp_path, mean_labeller, name, change
):
    split = crops(6)
    folder = make(split, tmp_path / "store", mean_labeller()).folder
    edit(folder / f"{name}.npy", change)
    with pytest.raises(UserError, match=f"{name}.npy: damaged, it differs from its checksum"):
        LabelStore.open(folder, split)
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"][f"{name}.npy"] = sha256_file(folder / f"{name}.npy")
    (folder / "meta.json").write_text(json.dumps(meta))
    if "roll" in change.__code__.co_names:  # nobody can see that
        return
    with pytest.raises(UserError, match="holds a number that no label has|and was labelled at"):
        LabelStore.open(folder, split)


@pytest.mark.parametrize("name", ["keypoints.npy", "paths.txt", "meta.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(crops, tmp_path, mean_labeller, name):
    split = crops(3)
    file = make(split, tmp_path / "store", mean_labeller()).folder / name
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match="missing|no part labels here"):
        LabelStore.open(file.parent, split)


def test_a_flipped_bit_is_noticed(crops, tmp_path, mean_labeller):
    split = crops(6)
    file = make(split, tmp_path / "store", mean_labeller()).folder / "part_maps.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="part_maps.npy: damaged, it differs"):
        LabelStore.open(file.parent, split)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f.unlink(), "damaged, paths.txt is missing"),
        (lambda f: f.write_bytes(b"\xff\xfe\n"), "paths.txt: damaged, it differs"),
        (lambda f: f.write_text("\u2028".join("abcd")), "paths.txt: damaged, it differs"),
    ],
)
def test_damaged_paths_are_refused_in_words(crops, tmp_path, mean_labeller, change, text):
    split = crops(4)
    folder = make(split, tmp_path / "store", mean_labeller()).folder
    change(folder / "paths.txt")
    with pytest.raises(UserError, match=text):
        LabelStore.open(folder, split)


@pytest.mark.parametrize(
    "key",
    ["count", "label_key", "boxes_sha256", "part_maps", "pose", "made_by", "quality", "sha256"],
)
def test_a_description_that_lacks_something_is_refused_in_words(
    crops, tmp_path, mean_labeller, key
):
    split = crops(4)
    file = make(split, tmp_path / "store", mean_labeller()).folder / "meta.json"
    whole = json.loads(file.read_text())
    for wrong in ({k: v for k, v in whole.items() if k != key}, {**whole, key: 3.5}):
        file.write_text(json.dumps(wrong))
        with pytest.raises(UserError, match=f"meta.json: damaged: '{key}' is"):
            LabelStore.open(file.parent, split)


def test_names_with_odd_letters_are_kept(crops, tmp_path, mean_labeller):
    split = crops(3)
    names = ["a\u2028b.jpg", "\udcff.jpg", "läufe ü.jpg"]
    for old, new in zip(split.paths, names, strict=True):
        os.rename(split.root / old, os.path.join(os.fsencode(split.root), os.fsencode(new)))
    split = replace(split, paths=tuple(names))
    store = make(split, tmp_path / "store", mean_labeller())
    assert store.paths == names
    assert LabelStore.open(store.folder, split).paths == names


def test_images_that_changed_since_are_refused(crops, tmp_path, mean_labeller):
    split = crops(4)
    folder = make(split, tmp_path / "store", mean_labeller()).folder
    shutil.copy(split.file(0), split.file(2))
    with pytest.raises(UserError, match="have changed since they were labelled"):
        LabelStore.open(folder, split)


def test_other_identities_of_the_same_images_need_no_other_labels(crops, tmp_path, mean_labeller):
    split = crops(4)
    folder = make(split, tmp_path / "store", mean_labeller()).folder
    assert len(LabelStore.open(folder, replace(split, identities=[4, 3, 2, 1]))) == 4


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_damaged_shard_is_labelled_again(crops, tmp_path, mean_labeller, content):
    split = crops(12)
    whole = make(split, tmp_path / "whole", mean_labeller())
    child = in_child(lambda: make(split, tmp_path / "store", mean_labeller(stop_after=4)))
    os.waitpid(child, 0)
    (first, _) = sorted(tmp_path.glob("store.making-*/shard-*.npz"))
    first.write_bytes(first.read_bytes()[:-100] if content is None else content)
    rest = mean_labeller()
    store = make(split, tmp_path / "store", rest)
    assert rest.calls == 4  # the damaged one and the missing one
    assert files(store.folder) == files(whole.folder)


def test_old_labels_are_there_until_new_ones_are_complete(crops, tmp_path, mean_labeller):
    split, folder = crops(8), tmp_path / "store"
    make(split, folder, mean_labeller(), made_by="command")
    before = files(folder)

    def relabel():
        make(split, folder, mean_labeller(2, stop_after=3), made_by="command", force=True)

    assert os.WTERMSIG(os.waitpid(in_child(relabel), 0)[1]) == signal.SIGKILL
    assert files(folder) == before
    make(split, folder, mean_labeller(2), made_by="command", force=True)
    assert LabelStore.open(folder, split).meta["pose"]["weights_sha256"] == "v2"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["images", "store"]


@pytest.mark.parametrize("swaps", [True, False])
def test_a_kill_at_any_step_of_the_exchange_leaves_old_or_new_labels(
    crops, tmp_path, mean_labeller, monkeypatch, swaps
):
    """Every rename and removal once; a second kind of file system has no exchange of names."""
    split = crops(4)
    if not swaps:
        monkeypatch.setattr(exchange, "swap_names", lambda a, b: False)
    for step in range(4):
        folder = tmp_path / f"store{step}"
        make(split, folder, mean_labeller(), made_by="command")

        def relabel(folder=folder, step=step):
            left = [step]

            def counted(call):
                def kill_or_call(*args, **options):
                    if call is not os.rename or folder in map(type(folder), args):
                        left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*args, **options)

                return kill_or_call

            exchange.swap_names, os.rename = counted(exchange.swap_names), counted(os.rename)
            make(split, folder, mean_labeller(2), made_by="command", force=True)

        os.waitpid(in_child(relabel), 0)

        def never():
            raise AssertionError("labels are there")

        store = ensure_labels(split, folder, never, (12, 4))
        assert store.meta["pose"]["weights_sha256"] in ("v1", "v2")


def test_a_full_disk_and_a_read_only_one_end_in_words(crops, tmp_path, mean_labeller, monkeypatch):
    split = crops(4)

    def refuse(number):
        def call(*args):
            raise OSError(number, os.strerror(number))

        return call

    with monkeypatch.context() as patch:
        patch.setattr(store_files, "_append", refuse(errno.ENOSPC))
        with pytest.raises(UserError, match="the disk is full; make room and run again"):
            make(split, tmp_path / "store", mean_labeller())
    assert not list(tmp_path.glob(".store*"))
    rest = mean_labeller()
    make(split, tmp_path / "store", rest)
    assert rest.calls == 0  # all shards were there
    with monkeypatch.context() as patch:
        patch.setattr(store_files, "_append", refuse(errno.EROFS))
        with pytest.raises(UserError, match="settings.label_root=FOLDER"):
            make(split, tmp_path / "other", mean_labeller())


def test_a_labeller_that_gives_what_cannot_be_is_refused(crops, tmp_path, mean_labeller):
    class Loud(mean_labeller):
        def label(self, images):
            return super().label(images) * (1, 1, 300)

    with pytest.raises(ValueError, match=r"keypoints of '0000_c0.jpg': expected finite numbers"):
        make(crops(4), tmp_path / "store", Loud())


def test_labels_of_another_version_are_made_anew_only_where_a_run_made_them(
    crops, tmp_path, mean_labeller, capsys
):
    split = crops(4)
    for made_by in ("run", "import"):
        folder = tmp_path / made_by
        make(split, folder, mean_labeller())
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps({**meta, "format": 1, "made_by": made_by}))
    assert make(split, tmp_path / "run", mean_labeller()).meta["format"] == 2
    assert "labels of another version: making them anew" in capsys.readouterr().err
    with pytest.raises(UserError, match="label store of format 1, this version reads 2"):
        make(split, tmp_path / "import", mean_labeller())


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
    keypoints = np.random.default_rng(0).uniform(0, 20, (5, 17, 3)) / (1, 1, 20)
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
        f"{folder}: no part label for 4 of 4 crops, the first is 0000_c0.png; a label has the path "
        "of its crop in the data set, ending in .png"
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
