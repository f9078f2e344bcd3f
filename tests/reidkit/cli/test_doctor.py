"""The doctor finds what was planted, in a folder of generated crops."""

import shutil

import cv2
import numpy as np
import pytest

from reidkit.cli.doctor import version_problems
from reidkit.cli.main import main
from reidkit.evaluation.metrics.ranked import random_ranker

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


def write(folder, split, identity, camera, number=0, seed=None):
    seed = hash((split, identity, camera, number)) % 2**32 if seed is None else seed
    image = np.random.default_rng(seed).integers(0, 255, (16, 8, 3), dtype=np.uint8)
    name = f"{identity:04d}_c{camera}s1_{number:06d}_00.jpg"
    path = folder / FOLDERS[split] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def healthy(tmp_path):
    folder = tmp_path / "mine"
    for person in (1, 2, 3):
        for camera in (1, 2):
            write(folder, "train", person, camera)
    for person in (11, 12):
        write(folder, "query", person, 1)
        write(folder, "gallery", person, 2)
    return folder


def diagnose(folder, capsys, *more):
    status = main(["doctor", "data", str(folder), *more])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_a_healthy_set(healthy, capsys):
    status, out, err = diagnose(healthy, capsys)
    assert status == 0, err
    assert "layout of Market1501, protocol market" in out
    assert "train: 6 images, 3 identities, 2 cameras" in out
    assert "all readable" in out and "no two of 10 files have the same content" in out
    assert "a random ranker scores mAP 75.00, R1 50.00" in out
    assert "2-3 images:      3 identities" in out and out.endswith("0 errors, 0 warnings\n")


def test_every_planted_fault_is_found(healthy, capsys):
    write(healthy, "train", 11, 1)  # tested on, too
    first = write(healthy, "train", 4, 1)  # one camera
    shutil.copy(first, first.with_name("0004_c1s1_000001_00.jpg"))
    shutil.copy(first, healthy / "query" / "0013_c1s1_000000_00.jpg")
    (healthy / "query" / "0012_c2s1_000009_00.jpg").write_bytes(b"no image")
    status, out, _ = diagnose(healthy, capsys)
    assert status == 1
    for text in [
        "error    1 identities of train are also in query: 11",
        "error    1 identities of train are also in gallery: 11",
        "error    1 groups of files of equal content under different identities",
        "error    1 of 15 files decoded are unreadable: query/0012_c2s1_000009_00.jpg",
        "warning  1 identities of query are not in gallery: 13",
        "identities of train are seen by one camera only: 4, 11",
        "queries have no positive under protocol market",
    ]:
        assert text in out, text


def test_queries_that_the_gallery_holds_are_errors_with_the_whole_path(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for split in ("train", "query", "gallery"):
        for person in ("ann", "bob"):
            path = tmp_path / "own" / split / person / "c1_0.png"
            path.parent.mkdir(parents=True)
            cv2.imwrite(str(path), rng.integers(0, 255, (8, 4, 3), dtype=np.uint8))
    shutil.copy(tmp_path / "own/query/bob/c1_0.png", tmp_path / "own/gallery/bob/c2_1.png")
    status, out, _ = diagnose(tmp_path / "own", capsys)
    assert status == 1
    assert (
        "error    1 groups of files of equal content in query and gallery, which any method finds: "
    ) in out
    assert "query: query/bob/c1_0.png" in out and "gallery: gallery/bob/c2_1.png" in out


def test_one_camera_everywhere(tmp_path, capsys):
    folder = tmp_path / "one"
    for split, people in (("train", (1, 2)), ("query", (3,)), ("gallery", (3, 3))):
        for number, person in enumerate(people):
            write(folder, split, person, 1, number)
    status, out, _ = diagnose(folder, capsys)
    assert status == 1
    assert "every identity of train is seen by one camera: use protocol single-camera" in out
    assert "error    1 of 1 queries have no positive" in out


def test_plain_folders_and_unknown_layouts(tmp_path, capsys):
    for person in "abcd":
        for number in range(3):
            path = tmp_path / "plain" / person / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = np.random.default_rng(ord(person) + number).integers(0, 255, (8, 4, 3))
            cv2.imwrite(str(path), image)
    status, out, err = diagnose(tmp_path / "plain", capsys)
    assert "layout of ImageFolder" in out, err
    (tmp_path / "nothing").mkdir()
    status, _, err = diagnose(tmp_path / "nothing", capsys)
    assert status == 2 and "no known layout" in err and "Market1501: bounding_box_train/" in err
    status, _, err = diagnose(tmp_path, capsys)
    assert status == 2 and "no known layout; it holds nothing, plain" in err  # not one of "plain"
    write(tmp_path / "sets/v1/one", "query", 1, 1, 0)
    for split in ("bounding_box_train", "bounding_box_test"):
        (tmp_path / "sets/v1/one" / split).mkdir(exist_ok=True)
    status, _, err = diagnose(tmp_path, capsys)
    assert status == 2 and "no data set itself, but holds some" in err
    assert str(tmp_path / "sets/v1/one") in err
    status, _, err = diagnose(tmp_path / "absent", capsys)
    assert status == 2 and "no such folder" in err
    status, _, err = diagnose(tmp_path / "plain", capsys, "--reader", "Market151")
    assert status == 2 and "did you mean 'Market1501'" in err


@pytest.mark.parametrize("more", [(), ("--reader", "ImageFolder")])
def test_plain_folders_of_three_splits(healthy, capsys, more):
    for path in sorted(healthy.glob("*/*.jpg")):
        split = {"bounding_box_train": "train", "bounding_box_test": "gallery"}
        into = healthy / split.get(path.parent.name, "query") / path.name[:4]
        into.mkdir(parents=True, exist_ok=True)
        path.rename(into / path.name)
    for name in ("bounding_box_train", "bounding_box_test"):
        (healthy / name).rmdir()
    status, out, err = diagnose(healthy, capsys, *more)
    assert status == 0 and "layout of ImageFolder" in out, err
    assert "train: 6 images, 3 identities" in out and "gallery: 2 images, 2 identities" in out


def test_a_set_that_lacks_a_folder_is_not_read_as_crops_per_person(healthy, capsys):
    shutil.rmtree(healthy / "query")
    status, out, err = diagnose(healthy, capsys)
    assert status == 2 and not out and "closest: Market1501, without query/\n" in err


def test_the_environment_is_listed(capsys):
    status = main(["doctor", "env"])
    out = capsys.readouterr().out
    assert "torch " in out and "device: " in out and status in (0, 1)
    assert ("these versions work together" in out) == (status == 0)


@pytest.mark.parametrize(
    "versions, count",
    [
        ({"torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.1.0"}, 0),
        ({"torch": "2.11.0+cpu", "torchvision": "0.26.0+cpu"}, 0),
        ({"torch": "2.5.1", "torchvision": "0.20.1"}, 1),
        ({"torch": "2.11.0", "torchvision": "0.20.1", "numpy": "1.26.4"}, 2),
        ({"mmcv": "2.1.0", "mmcv-lite": "2.2.0"}, 1),
        ({}, 0),
    ],
)
def test_versions_that_do_not_fit(versions, count):
    assert len(version_problems(versions)) == count


@pytest.mark.parametrize("n_positives, size", [(1, 1), (2, 5), (3, 20)])
def test_the_random_rankers_scores_are_means_over_orders(n_positives, size):
    rng = np.random.default_rng(0)
    precision, first = [], []
    for _ in range(20000):
        ranks = np.sort(rng.permutation(size)[:n_positives]) + 1
        precision.append(np.mean(np.arange(1, n_positives + 1) / ranks))
        first.append(ranks[0] == 1)
    expected = random_ranker([n_positives], [size])
    assert expected[0][0] == pytest.approx(np.mean(precision), abs=0.01)
    assert expected[1][0] == pytest.approx(np.mean(first), abs=0.012)


def write_crops(folder, names, size=(16, 8)):
    for name in names:
        image = np.random.default_rng(abs(hash(name)) % 2**32).integers(0, 255, (*size, 3))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), image.astype(np.uint8))


FLAT = [f"p{p:02d}_cam{c}_{n}.jpg" for p in range(1, 5) for c in (1, 2) for n in (0, 1)]


def test_options_of_the_reader_are_taken(tmp_path, capsys):
    names = [f"{p:04d}/c{c}_{n}.jpg" for p in range(1, 5) for c in (1, 2) for n in (0, 1)]
    write_crops(tmp_path / "own", names)
    status, out, err = diagnose(tmp_path / "own", capsys)
    assert "8 images, 2 identities, 1 cameras" in out, err
    assert "file names seem to tell cameras: try 'camera=^c(\\d+)'" in out
    for more in ((r"camera=^c(\d+)",), ("--reader", "ImageFolder", r"camera=^c(\d+)", "seed=3")):
        status, out, err = diagnose(tmp_path / "own", capsys, *more)
        assert status == 0 and "8 images, 2 identities, 2 cameras" in out, err
    status, _, err = diagnose(tmp_path / "own", capsys, "kamera=1")
    assert status == 2 and "ImageFolder has no option 'kamera'; it has: name, identity" in err
    status, _, err = diagnose(tmp_path / "own", capsys, "camera=(")
    assert status == 2 and "is no regular expression" in err


def test_names_of_a_flat_folder_are_understood_and_the_group_is_written(
    tmp_path, capsys, monkeypatch
):
    write_crops(tmp_path / "data/mine", FLAT)
    (tmp_path / "data/mine/notes.txt").write_text("x")
    (tmp_path / "configs/_base_/data").mkdir(parents=True)
    shutil.copy("configs/_base_/data/_real.py", tmp_path / "configs/_base_/data")
    shutil.copy("configs/_base_/default.py", tmp_path / "configs/_base_")
    monkeypatch.chdir(tmp_path)
    status, out, err = diagnose("data/mine", capsys, "--write", "mine")
    assert status == 0, out + err
    assert r"layout of ImageFolder(identity='^p(\\d+)_', camera='_cam(\\d+)')" in out
    assert "left out, files: 1 .txt (no image)" in out
    text = (tmp_path / "configs/_base_/data/mine.py").read_text()
    assert r'identity=r"^p(\d+)_", camera=r"_cam(\d+)"' in text and 'root="mine"' in text
    values = {}
    exec(text, values)
    assert values["data"]["domains"]["source"]["type"] == "ImageFolder"
    status, again, err = diagnose("mine", capsys)
    assert (
        status == 0 and again.splitlines()[1:] == out.splitlines()[1:-2] + out.splitlines()[-1:]
    ), err
    status, _, err = diagnose("data/mine", capsys, "--write", "mine")
    assert status == 2 and "exists already" in err
    status, _, err = diagnose("data/mine", capsys, "--write", "../x")
    assert status == 2 and "named by letters, digits and _" in err
    status, _, err = diagnose("nothere", capsys)
    assert status == 2 and "nothere" in err


def test_copies_are_errors_where_the_test_would_find_them(tmp_path, capsys):
    names = [f"{s}/{p}/c{c}.jpg" for s, c in (("query", 1), ("gallery", 2)) for p in ("a", "b")]
    write_crops(tmp_path / "own", names)
    shutil.copy(tmp_path / "own/query/a/c1.jpg", tmp_path / "own/gallery/a/c1.jpg")
    status, out, _ = diagnose(tmp_path / "own", capsys)
    assert status == 1 and "query: query/a/c1.jpg = gallery: gallery/a/c1.jpg" in out
    status, out, _ = diagnose(tmp_path / "own", capsys, r"camera=c(\d)")
    assert status == 0 and "info     1 groups of files of query and gallery of one camera" in out


def test_images_that_lie_and_names_that_are_no_utf8_are_shown(tmp_path, capsys):
    from PIL import Image

    write_crops(tmp_path / "own", [f"{p}/{n}.jpg" for p in "abcd" for n in range(3)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(tmp_path / "own/a/0.jpg").save(tmp_path / "own/a/0.jpg", exif=exif)
    odd = tmp_path / "own/b/caf\udce9.jpg"
    odd.write_bytes(b"")
    status, out, _ = diagnose(tmp_path / "own", capsys)
    assert status == 1 and "1 files are stored lying, with an EXIF orientation" in out
    assert "a/0.jpg" in out and "b/caf\ufffd.jpg: the file is empty" in out
