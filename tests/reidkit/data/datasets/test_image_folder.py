import numpy as np
import pytest

from reidkit.data import ImageFolder
from reidkit.errors import UserError
from reidkit.evaluation import Labels, match_labels
from reidkit.evaluation.protocols import PROTOCOLS


def test_three_folders_share_their_identities(tmp_path, write_images):
    root = tmp_path / "mine"
    write_images(root, ["train/ann/1_c4.jpg", "train/bob/1_c1.png", "train/bob/2_c2.png"])
    write_images(root, ["query/cid/1_c1.jpg", "gallery/cid/2_c3.jpg", "gallery/dan/9_c3.jpg"])
    splits = ImageFolder(str(tmp_path), "mine", camera=r"_c(\d+)").splits()
    assert splits["train"].identities.tolist() == [1, 2, 2]
    assert splits["train"].cameras.tolist() == [4, 1, 2]
    assert splits["query"].identities.tolist() == [3]
    assert splits["gallery"].identities.tolist() == [3, 4]
    assert splits["train"].label_key == "mine/train"


def test_numbered_folders_keep_their_number_and_unknown_cameras_pair_up(tmp_path, write_images):
    write_images(tmp_path / "mine", ["query/0007/a.jpg", "gallery/0007/b.jpg", "gallery/12/c.jpg"])
    reader = ImageFolder(str(tmp_path), "mine", name="shop")
    splits = reader.splits()
    assert list(splits) == ["query", "gallery"] and reader.name == "shop"
    assert splits["gallery"].identities.tolist() == [7, 12]
    assert splits["query"].cameras.tolist() == [0] and splits["gallery"].cameras.tolist() == [1, 1]


def test_one_folder_is_divided_by_identity_and_camera(tmp_path, write_images):
    names = [f"p{i}/{n}_c{n % 2}.jpg" for i in range(6) for n in range(4)]
    write_images(tmp_path / "mine", names)
    options = dict(camera=r"_c(\d)", holdout=0.5, seed=3)
    splits = ImageFolder(str(tmp_path), "mine", **options).splits()
    train, query, gallery = (splits[s] for s in ("train", "query", "gallery"))
    assert not set(train.identities) & set(gallery.identities)
    assert set(query.identities) == set(gallery.identities) and len(set(query.identities)) == 3
    pairs = list(zip(query.identities, query.cameras, strict=True))
    assert len(pairs) == len(set(pairs)) == 6  # one per identity and camera
    assert sorted(train.paths + query.paths + gallery.paths) == sorted(names)
    again = ImageFolder(str(tmp_path), "mine", **options).splits()
    assert again["query"].paths == query.paths
    others = [
        ImageFolder(str(tmp_path), "mine", camera=r"_c(\d)", seed=s).splits()["query"].paths
        for s in range(8)
    ]
    assert len(set(others)) > 1


def test_without_cameras_the_divided_queries_count_as_another_camera(tmp_path, write_images):
    write_images(tmp_path / "mine", [f"p{i}/{n}.jpg" for i in range(4) for n in range(3)])
    splits = ImageFolder(str(tmp_path), "mine").splits()
    assert set(splits["query"].cameras) == {0} and set(splits["gallery"].cameras) == {1}
    assert len(splits["query"]) == 2 and len(splits["gallery"]) == 4
    assert np.intersect1d(splits["query"].identities, splits["gallery"].identities).size == 2


def test_what_is_wrong_is_named(tmp_path, write_images):
    with pytest.raises(UserError, match=r"Image folder none: not found in .*\n.*\n +\{train,query"):
        ImageFolder(str(tmp_path), "none").prepare()
    write_images(tmp_path / "mine", ["train/ann/1.jpg", "train/2.jpg"])
    with pytest.raises(UserError) as error:
        ImageFolder(str(tmp_path), "mine").prepare()
    assert str(error.value) == (
        "Image folder mine: train/2.jpg is in no sub-folder; the name of the sub-folder is the "
        "identity, as in train/0001/a.jpg"
    )
    (tmp_path / "mine/train/2.jpg").unlink()
    write_images(tmp_path / "deep", ["cam1/ann/1.jpg", "cam2/ann/2.jpg"])
    with pytest.raises(UserError, match="cam1/ann/1.jpg is in 2 sub-folders, one in another"):
        ImageFolder(str(tmp_path), "deep").prepare()
    with pytest.raises(UserError, match=r"train/ann/1.jpg has no camera number after 'cam"):
        ImageFolder(str(tmp_path), "mine", camera=r"cam(\d)").prepare()
    write_images(tmp_path / "one", ["ann/1.jpg", "ann/2.jpg"])
    with pytest.raises(UserError, match=r"1 identities cannot be divided with holdout=0.5"):
        ImageFolder(str(tmp_path), "one").prepare()
    with pytest.raises(ValueError, match="camera must have exactly one group"):
        ImageFolder(str(tmp_path), "one", camera="c")
    with pytest.raises(ValueError, match="holdout must be between 0 and 1"):
        ImageFolder(str(tmp_path), "one", holdout=1)


def test_nobody_of_a_named_folder_is_a_distractor(tmp_path, write_images):
    names = [f"{split}/{name}/{split}.jpg" for split in ("query", "gallery") for name in "abc"]
    write_images(tmp_path / "mine", names)
    splits = ImageFolder(str(tmp_path), "mine").splits()
    labels = [Labels(s.identities, s.cameras) for s in (splits["query"], splits["gallery"])]
    assert match_labels(PROTOCOLS["market"], *labels).valid.tolist() == [0, 1, 2]


def test_one_image_of_everybody_leaves_no_gallery(tmp_path, write_images):
    write_images(tmp_path / "one", [f"p{i}/c{c}_0.jpg" for i in range(6) for c in (1, 2)])
    with pytest.raises(UserError, match="3 people for testing has one image per camera.*a query"):
        ImageFolder(str(tmp_path), "one", camera=r"c(\d)").prepare()


def test_endings_of_other_formats_are_named(tmp_path, write_images):
    for name in ("train/a/1.gif", "train/b/2.avif"):
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        (tmp_path / "own" / name).write_bytes(b"x")
    with pytest.raises(UserError) as error:
        ImageFolder(str(tmp_path), "own").prepare()
    assert "it holds files with .avif, .gif, and images are read from .jpg" in str(error.value)
    assert "archive" not in str(error.value)
