"""Writing survives being killed; the reader reads what was written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.cli.synthped import main
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.synthped import layout, plan, shards
from reidkit.synthped.reader import SynthPed
from reidkit.synthped.world import render

pytestmark = pytest.mark.slow  # they render
REPO = Path(__file__).parents[3]


def complete(folder: Path, items: list[plan.Item], thorough: bool = False) -> bool:
    """Whether a folder of pictures holds exactly these crops."""
    shot = items[0].shot
    made_of = dict(preset=shot.preset, domain=shot.domain, seed=shot.seed, style=shot.style)
    return layout.holds(folder, layout.Contents(items, made_of), thorough)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Domains A and P of the easy preset, rendered once."""
    folder = tmp_path_factory.mktemp("data")
    for domain in "AP":
        layout.write_domain(folder, "easy", domain, workers=0, show=False)
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_names_and_counts_of_the_plan():
    for preset, train, test in (("standard", 1080, 1285), ("easy", 192, 134)):
        items = plan.plan(preset, "A")
        paths = [item.path for item in items]
        assert paths == sorted(set(paths))
        in_train = [path for path in paths if path.startswith("bounding_box_train/")]
        assert (len(in_train), len(paths) - len(in_train)) == (train, test)
        names = {path.rpartition("/")[2] for path in paths}
        assert len(names) == len(paths) and all(len(n.split("_")) == 4 for n in names)
    pose = [item.path for item in plan.plan("standard", "P")]
    counts = [sum(p.startswith(f"{f}/") for p in pose) for f in (plan.TRAIN, plan.QUERY)]
    assert counts == [1800, 150] and len(pose) == 2100
    people = [{i.shot.identity for i in plan.plan("standard", "P") if i.path.startswith(f)}
              for f in ("bounding_box_train/", "bounding_box_test/")]  # fmt: skip
    assert not people[0] & people[1]


def test_every_query_has_a_match_under_another_camera():
    items = plan.plan("standard", "B")
    gallery = {(i.shot.identity, i.shot.camera) for i in items if "_test/0" in i.path}
    gallery |= {(i.shot.identity, i.shot.camera) for i in items if "_test/1" in i.path}
    for item in items:
        if item.path.startswith("query/"):
            assert any(
                (item.shot.identity, c) in gallery for c in range(1, 7) if c != item.shot.camera
            )


def test_reader_reads_what_was_written(root):
    reader = SynthPed(str(root), "A", "easy")
    reader.prepare()
    splits = reader.splits()
    assert [len(splits[k]) for k in ("train", "query", "gallery")] == [192, 40, 90]
    assert (splits["gallery"].identities == 0).sum() == 10 and splits[
        "gallery"
    ].identities.min() == 0
    assert (root / splits["gallery"].root / "bounding_box_test").is_dir()
    assert any(n.startswith("-1_c") for n in os.listdir(reader.folder / "bounding_box_test"))
    train = splits["train"]
    assert train.num_identities == 24 and set(train.cameras.tolist()) == {1, 2, 3, 4}
    assert train.times is not None and train.keypoints is None and train.part_label_paths is None
    assert not set(train.identities.tolist()) & set(splits["query"].identities.tolist())
    frames = [int(Path(path).name.split("_")[2]) for path in train.paths]
    np.testing.assert_allclose(train.times, np.array(frames) / 25, atol=0.05)


def test_domain_p_brings_keypoints_and_part_labels(root):
    train = SynthPed(str(root), "P", "easy").splits()["train"]
    assert train.keypoints.shape == (len(train), 17, 3)
    for index in range(0, len(train), 17):
        label = cv2.imread(str(train.root / train.part_label_paths[index]), cv2.IMREAD_UNCHANGED)
        image = cv2.imread(str(train.file(index)))
        assert label.shape == image.shape[:2] and 0 < label.max() <= 7


def test_true_keypoints_are_the_drawn_ones_under_labels_of_their_own(root):
    known = SynthPed(str(root), "A", "easy", true_keypoints=True)
    known.prepare()
    query = known.splits()["query"]
    np.testing.assert_array_equal(query.keypoints, known.truth("query")["joints"])
    assert query.part_label_paths is None and known.brings_keypoints
    assert query.label_key != SynthPed(str(root), "A", "easy").splits()["query"].label_key
    styled = SynthPed(str(root), "A", "easy", style="B", true_keypoints=True)
    assert styled.plain.name == known.name


def test_truth_and_files_are_those_of_the_world(root):
    reader = SynthPed(str(root), "P", "easy")
    truth, split = reader.truth("train"), reader.splits()["train"]
    assert tuple(truth["paths"].tolist()) == split.paths
    shots = {item.path: item.shot for item in plan.plan("easy", "P")}
    for index in range(0, len(split), 31):
        crop = render(shots[split.paths[index]])
        for key, value in (("joints", crop.joints), ("part_maps", crop.part_map)):
            np.testing.assert_array_equal(truth[key][index], value)
        assert truth["heading"][index] == np.float32(crop.heading)
        assert tuple(truth["image_sizes"][index]) == crop.image.shape[:2]
        assert split.file(index).read_bytes() == shards.encode(crop)
        assert (
            np.abs(cv2.imread(str(split.file(index)))[:, :, ::-1] - crop.image.astype(int)).mean()
            < 9
        )


def test_styled_copy_has_the_names_of_its_originals(root):
    plain, styled = (SynthPed(str(root), "A", "easy", style=s) for s in (None, "B"))
    names = [[i.path for i in plan.plan("easy", "A", style=s)] for s in (None, "B")]
    assert names[0] == names[1] and plain.folder != styled.folder
    assert styled.plain.folder == plain.folder and styled.name.endswith("A_style_B")
    assert SynthPed(str(root), "A", "easy", style="A").folder == plain.folder
    assert plain.splits()["train"].label_key == f"{plain.name}/train"


def test_a_second_call_does_nothing(root):
    folder = layout.domain_folder(root, "easy", "A")
    before = {e.name: e.stat().st_mtime_ns for e in os.scandir(folder / "query")}
    assert layout.write_domain(root, "easy", "A", show=False) == folder
    assert before == {e.name: e.stat().st_mtime_ns for e in os.scandir(folder / "query")}
    assert not (folder / shards.UNFINISHED).exists()
    assert complete(folder, plan.plan("easy", "A"), thorough=True)


def test_killed_and_started_again_ends_with_the_same_bytes(root, tmp_path):
    command = [sys.executable, str(REPO / "tools/synthped.py"), "--preset", "easy"]
    command += ["--domains", "P", "--root", str(tmp_path), "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    folder = layout.domain_folder(tmp_path, "easy", "P")
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (folder / shards.UNFINISHED / "00000.npz").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    items = plan.plan("easy", "P")
    assert not (folder / "manifest.json").exists() and not complete(folder, items)
    done = (folder / shards.UNFINISHED / "00000.npz").stat().st_mtime_ns
    first = folder / items[0].path
    written = first.stat().st_mtime_ns
    (folder / plan.TRAIN).mkdir(exist_ok=True)
    (folder / plan.TRAIN / ".0001_c1s1_000001_00.jpg.1-ab.tmp").write_bytes(b"half")
    layout.write_domain(tmp_path, "easy", "P", workers=2, show=False)
    assert done and first.stat().st_mtime_ns == written, "what was done is not done again"
    whole = layout.domain_folder(root, "easy", "P")
    assert manifest(folder) == manifest(whole)
    files = {p.name for p in (folder / plan.TRAIN).iterdir()}
    assert files == {p.name for p in (whole / plan.TRAIN).iterdir()}


def test_a_lost_or_cut_file_is_noticed_and_rendered_again(root, tmp_path):
    source = layout.domain_folder(root, "easy", "P")
    folder = layout.domain_folder(tmp_path, "easy", "P")
    shutil.copytree(source, folder)
    items = plan.plan("easy", "P")
    (folder / shards.UNFINISHED).mkdir()  # left by a run killed in its last step
    (folder / shards.UNFINISHED / "00000.npz").write_bytes(b"old")
    for damage in (Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-40])):
        damage(folder / items[7].path)
        assert not complete(folder, items)
        layout.write_domain(tmp_path, "easy", "P", workers=0, show=False)
        assert manifest(folder)["content"] == manifest(source)["content"]
        assert complete(folder, items, thorough=True)


def test_same_size_damage_is_found_by_verify(root, tmp_path, capsys):
    source = layout.domain_folder(root, "easy", "P")
    folder = layout.domain_folder(tmp_path, "easy", "P")
    shutil.copytree(source, folder)
    file = folder / plan.plan("easy", "P")[3].path
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(data)
    arguments = ["--preset", "easy", "--domains", "P", "--root", str(tmp_path)]
    assert main(arguments) == 0
    assert main([*arguments, "--verify"]) == 1
    assert "differs from its manifest; render again with --force" in capsys.readouterr().out


def test_options_and_missing_truth_are_refused(tmp_path):
    with pytest.raises(ValueError) as error:
        DATASETS.build(dict(type="SynthPed", data_root=str(tmp_path), domain="C"))
    assert str(error.value) == "SynthPed: domain must be one of ('A', 'B', 'P'), got 'C'"
    with pytest.raises(UserError, match="no readable truth .* tools/synthped.py --force"):
        layout.load_truth(tmp_path)
    with pytest.raises(
        UserError, match=r"(?s)SynthPed: not found in .*manifest.json.*run tools/synthped.py"
    ):
        SynthPed(str(tmp_path), "A", "easy").splits()


@pytest.mark.parametrize("damage", ["emptied", "gone", "truth"])
def test_a_shard_is_done_where_all_its_files_have_their_sizes(tmp_path, damage):
    items = plan.plan("easy", "A")[:3]
    shards.render_shards(tmp_path, items, 1, "")
    file, truth = tmp_path / items[1].path, tmp_path / shards.UNFINISHED / "00000.npz"
    kept, before = file.read_bytes(), truth.stat().st_mtime_ns
    shards.render_shards(tmp_path, items, 1, "")
    assert truth.stat().st_mtime_ns == before
    if damage == "gone":
        file.unlink()
    else:  # as a power cut may leave it
        (file if damage == "emptied" else truth).write_bytes(b"")
    shards.render_shards(tmp_path, items, 1, "")
    assert file.read_bytes() == kept and truth.stat().st_size > 0
