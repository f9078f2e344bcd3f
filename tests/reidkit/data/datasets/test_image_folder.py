import os

import numpy as np
import pytest

from reidkit.data import ImageFolder, check_readable
from reidkit.data.datasets.files import is_image
from reidkit.data.decode import load_into, read_bytes
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
        "identity, as in train/0001/a.jpg. Where the file names tell it, set the option identity "
        "to a pattern of them"
    )
    (tmp_path / "mine/train/2.jpg").unlink()
    write_images(tmp_path / "deep", ["cam1/ann/1.jpg", "cam2/ann/2.jpg"])
    with pytest.raises(UserError, match="cam1/ann/1.jpg is in 2 sub-folders, one in another"):
        ImageFolder(str(tmp_path), "deep").prepare()
    with pytest.raises(UserError, match=r"train/ann/1.jpg has no camera after 'cam"):
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


def test_one_image_per_camera_leaves_one_camera_to_the_gallery(tmp_path, write_images):
    write_images(tmp_path / "one", [f"p{i}/c{c}_0.jpg" for i in range(6) for c in (1, 2)])
    splits = ImageFolder(str(tmp_path), "one", camera=r"c(\d)").splits()
    query, gallery = splits["query"], splits["gallery"]
    assert len(query) == len(gallery) == 3
    labels = [Labels(s.identities, s.cameras) for s in (query, gallery)]
    assert len(match_labels(PROTOCOLS["market"], *labels).valid) == 3


@pytest.mark.parametrize(
    "names, options, reason",
    [
        (["p{}/a.jpg"], {}, "each identity has one image"),
        (["p{}/a.jpg"], dict(camera="(a)"), "each identity has one image"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_the_reason(
    tmp_path, write_images, names, options, reason
):
    write_images(tmp_path / "one", [name.format(i) for i in range(6) for name in names])
    with pytest.raises(UserError) as error:
        ImageFolder(str(tmp_path), "one", **options).prepare()
    assert reason in str(error.value) and "archive" not in str(error.value)


def test_people_of_one_camera_each_are_compared_within_it_and_that_is_said(tmp_path, write_images):
    names = [f"p{i}/c{i % 2}_{n}.jpg" for i in range(6) for n in "ab"]
    write_images(tmp_path / "one", names)
    reader = ImageFolder(str(tmp_path), "one", camera=r"c(\d)")
    splits = reader.splits()
    assert any("nobody is seen by two cameras" in note for note in reader.notes)
    labels = [Labels(s.identities, s.cameras) for s in (splits["query"], splits["gallery"])]
    assert len(match_labels(PROTOCOLS["market"], *labels).valid) == 3


def test_files_that_are_no_images_are_named(tmp_path):
    for name in ("train/a/1.heic", "train/b/2.txt", "train/b/3.mp4"):
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_bytes(b"x")
    with pytest.raises(UserError) as error:
        ImageFolder(str(tmp_path), "own").prepare()
    assert str(error.value) == (
        f"Image folder own: no images for train in {tmp_path.as_posix()}/own; train/: left out, "
        "files: 1 .heic (this OpenCV and PIL do not decode it: convert it to JPEG or PNG), 1 .mp4 "
        "(a video: `reidkit crops` cuts crops out of it), 1 .txt (no image); put crops into "
        "train/, query/ and gallery/ with one sub-folder per identity, or set the options "
        "identity and camera to patterns of the file names"
    )


def test_every_decoded_format_is_read(tmp_path):
    import cv2
    from PIL import Image

    endings = ["jpg", "jpe", "jfif", "JPEG", "png", "bmp", "webp", "tif", "gif", "ppm", "pgm"]
    optional = [e for e in ("jp2", "avif") if is_image(f"x.{e}")]
    pixels = np.random.default_rng(0).integers(0, 255, (8, 4, 3), dtype=np.uint8)
    pixels = cv2.resize(pixels, (32, 64), interpolation=cv2.INTER_CUBIC)
    (tmp_path / "own/train/ann").mkdir(parents=True)
    for ending in (*endings, *optional):
        image = Image.fromarray(pixels)
        image = image.convert("L") if ending == "pgm" else image
        form = {"jfif": "JPEG", "jpe": "JPEG"}.get(ending)
        image.save(tmp_path / f"own/train/ann/{ending}.{ending}", format=form)
    reader = ImageFolder(str(tmp_path), "own")
    split = reader.splits()["train"]
    assert len(split) == len(endings) + len(optional) and "files" not in " ".join(reader.notes)
    out = np.empty((64, 32, 3), np.uint8)
    for row in range(len(split)):
        load_into(out, read_bytes(split.file(row)))
        grey = split.paths[row].endswith("pgm")
        truth = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB")) if grey else pixels
        assert np.abs(out.astype(int) - truth).mean() < 12, split.paths[row]


def test_junk_and_distractors_are_marked_on_request_only(tmp_path, write_images):
    people = ["0000", "0001", "0002"]
    names = [f"{split}/{p}/c{c}.jpg" for c, split in ((1, "query"), (2, "gallery")) for p in people]
    write_images(tmp_path / "own", names)
    reader = ImageFolder(str(tmp_path), "own", camera=r"c(\d)")
    splits = reader.splits()
    assert splits["gallery"].identities.tolist() == [1, 2, 3]  # 0000 is somebody
    assert "identity 0000 is one like any other, so 3 identities are numbered" in reader.notes[0]
    labels = [Labels(s.identities, s.cameras) for s in (splits["query"], splits["gallery"])]
    assert len(match_labels(PROTOCOLS["market"], *labels).valid) == 3
    marked = ImageFolder(str(tmp_path), "own", camera=r"c(\d)", distractor="0000")
    assert marked.splits()["gallery"].identities.tolist() == [0, 1, 2] and not marked.notes
    write_images(tmp_path / "own", ["gallery/-1/c1.jpg"])
    with pytest.raises(UserError, match=r"-1 \(gallery/-1/c1.jpg\) is negative.*junk=-1"):
        ImageFolder(str(tmp_path), "own", camera=r"c(\d)").prepare()
    options = dict(camera=r"c(\d)", junk="-1", distractor=0)
    marked = ImageFolder(str(tmp_path), "own", **options).splits()
    assert marked["gallery"].identities.tolist() == [-1, 0, 1, 2]


def test_stray_folders_are_left_out_and_said(tmp_path, write_images):
    write_images(tmp_path / "own", ["query/1/a.jpg", "gallery/1/b.jpg", "gallery/2/c.jpg"])
    stray = [
        "gallery/__MACOSX/x.jpg",
        "gallery/.cache/y.jpg",
        "gallery/@eaDir/z.jpg",
        "test/3/a.jpg",
    ]
    write_images(tmp_path / "own", stray)
    (tmp_path / "own/gallery/1/._b.jpg").write_bytes(b"x")
    reader = ImageFolder(str(tmp_path), "own")
    assert reader.splits()["gallery"].identities.tolist() == [1, 2]
    assert reader.notes == [
        "gallery/: left out, folders: .cache (hidden), @eaDir (a system put it there), __MACOSX "
        "(a system put it there)",
        "left out, beside query/, gallery/: test/",
    ]
    assert reader.describe()[-2:] == reader.notes


@pytest.mark.parametrize("name", ["20230101123059123456", "\u00b2", "1_1", "\uff11", "x"])
def test_names_that_are_no_numbers_are_text(tmp_path, write_images, name):
    write_images(tmp_path / "own", ["train/2/a.jpg", f"train/{name}/b.jpg"])
    reader = ImageFolder(str(tmp_path), "own")
    assert sorted(reader.splits()["train"].identities) == [1, 2] and len(reader.notes) == 1
    assert name in reader.notes[0] and "2 identities are numbered from 1" in reader.notes[0]


def test_two_names_of_one_number_are_refused(tmp_path, write_images):
    write_images(tmp_path / "own", ["train/7/a.jpg", "train/007/b.jpg"])
    with pytest.raises(UserError, match="'7' .*write each identity in one way"):
        ImageFolder(str(tmp_path), "own").prepare()


def test_cameras_may_be_names(tmp_path, write_images):
    write_images(tmp_path / "own", ["train/7/door_1.jpg", "train/7/yard_1.jpg"])
    reader = ImageFolder(str(tmp_path), "own", camera="^([a-z]+)_")
    assert reader.splits()["train"].cameras.tolist() == [1, 2]
    assert "camera: names such as 'door'; 2 cameras are numbered from 1" in reader.notes[0]


def test_one_name_in_two_encodings_is_one_person(tmp_path, write_images):
    write_images(tmp_path / "own", ["query/Zo\u00eb/a.jpg", "gallery/Zoe\u0308/b.jpg"])
    splits = ImageFolder(str(tmp_path), "own").splits()
    assert splits["query"].identities.tolist() == splits["gallery"].identities.tolist() == [1]


def test_links_are_followed_and_loops_are_not(tmp_path, write_images):
    write_images(tmp_path / "elsewhere", ["ann/1.jpg", "ann/2.jpg"])
    write_images(tmp_path / "own", ["train/bob/1.jpg"])
    train = tmp_path / "own/train"
    (train / "ann").symlink_to(tmp_path / "elsewhere/ann")
    (train / "bob/loop").symlink_to(train)
    (train / "bob/self").symlink_to(train / "bob/self")
    (train / "gone").symlink_to(tmp_path / "nowhere")
    reader = ImageFolder(str(tmp_path), "own")
    wanted = ("train/ann/1.jpg", "train/ann/2.jpg", "train/bob/1.jpg")
    assert reader.splits()["train"].paths == wanted
    assert "bob/loop (a link to a folder that holds it)" in " ".join(reader.notes)


def test_names_tell_identity_and_camera_of_a_flat_folder(tmp_path, write_images):
    names = [f"p{i:02d}_cam{c}_{n}.jpg" for i in range(6) for c in (1, 2) for n in (0, 1)]
    write_images(tmp_path / "flat", names)
    options = dict(identity=r"^p(\d+)_", camera=r"_cam(\d+)_")
    splits = ImageFolder(str(tmp_path), "flat", **options).splits()
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 12,
        "query": 6,
        "gallery": 6,
    }
    every = [
        part for split in splits.values() for part in zip(split.paths, split.cameras, strict=True)
    ]
    assert all(f"_cam{camera}_" in path for path, camera in every)
    write_images(tmp_path / "three", [f"{s}/{n}" for s in ("query", "gallery") for n in names[4:8]])
    splits = ImageFolder(str(tmp_path), "three", **options).splits()
    assert splits["query"].identities.tolist() == [1, 1, 1, 1]
    assert splits["query"].cameras.tolist() == [1, 1, 2, 2]
    deep = [f"gallery/cam{c}/p{i}/x.jpg" for c in (1, 3) for i in (4, 9)]
    write_images(tmp_path / "deep", deep)
    options = dict(identity=r"/p(\d+)/", camera=r"/cam(\d+)/")
    split = ImageFolder(str(tmp_path), "deep", **options).splits()["gallery"]
    assert split.identities.tolist() == [4, 9, 4, 9] and split.cameras.tolist() == [1, 1, 3, 3]
    write_images(tmp_path / "market", ["0002_c1s1_01.jpg", "-1_c3s1_02.jpg", "0002_c4s1_03.jpg"])
    write_images(tmp_path / "market", ["0005_c1s1_01.jpg", "0005_c2s1_01.jpg", "0000_c2s1_9.jpg"])
    options = dict(identity=r"^(-?\d+)_", camera=r"_c(\d)", junk="-1", distractor=0)
    splits = ImageFolder(str(tmp_path), "market", **options).splits()
    assert {-1, 0} < set(splits["gallery"].identities.tolist()) and len(splits["query"]) == 1


def test_patterns_that_cannot_be_used_are_refused(tmp_path, write_images):
    for option in ("identity", "camera"):
        with pytest.raises(ValueError, match=f"{option}='\\(' is no regular expression"):
            ImageFolder(str(tmp_path), "own", **{option: "("})
        with pytest.raises(ValueError, match=f"{option} must have exactly one group"):
            ImageFolder(str(tmp_path), "own", **{option: "(a)(b)"})
    write_images(tmp_path / "own", ["train/p7_x.jpg", "train/x.jpg"])
    with pytest.raises(UserError, match=r"train/x.jpg has no identity after .\^p\(.d\+\)."):
        ImageFolder(str(tmp_path), "own", identity=r"^p(\d+)").prepare()


def test_names_that_are_no_utf8_are_read(tmp_path, write_images):
    write_images(tmp_path / "own", ["train/ann/1.jpg"])
    odd = os.fsencode(tmp_path / "own/train/ann") + b"/2\xe9.jpg"
    os.link(tmp_path / "own/train/ann/1.jpg", odd)
    split = ImageFolder(str(tmp_path), "own").splits()["train"]
    assert len(split) == 2 and len(split.fingerprint()) == 64


def test_a_folder_called_like_an_image_and_a_link_to_nothing(tmp_path, write_images):
    write_images(tmp_path / "own", ["query/1/a.jpg", "gallery/1/b.jpg", "train/2/c.jpg"])
    (tmp_path / "own/train/2/x.jpg").mkdir()
    (tmp_path / "own/query/1/gone.jpg").symlink_to("nowhere.jpg")
    splits = ImageFolder(str(tmp_path), "own").splits()
    assert splits["train"].paths == ("train/2/c.jpg",)
    with pytest.raises(UserError, match=r"1 of 2 images cannot be read, seen before(.|\n)*gone.j"):
        check_readable(splits["query"])
