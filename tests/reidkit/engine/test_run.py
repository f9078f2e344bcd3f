"""Whole runs as users start them: train, test, kill and resume, two processes, full size."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from reidkit.engine.calibrate import read_calibration
from reidkit.engine.run import Run
from reidkit.errors import UserError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SMALL = [
    "data=synthped_easy",
    "train.batch_size=48",
    "model.backbone.width=8",
    "settings.workers=0",
]


def metrics(folder: Path) -> dict:
    return {
        k: v["metrics"]
        for k, v in json.loads((folder / "metrics.json").read_text())["tests"].items()
    }


@pytest.fixture(scope="module")
def unbroken(shared_folder, easy_data) -> Path:
    """PAP-ST-PS for two epochs, never interrupted; made once per session."""
    import fcntl

    folder = shared_folder / "unbroken"
    with open(shared_folder / "run_lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "metrics.json").exists():
            status = subprocess.run(train_command(easy_data, folder), cwd=ROOT, env=one_thread())
            assert status.returncode == 0
    return folder


def one_thread(**extra: str) -> dict:
    return {**os.environ, "OMP_NUM_THREADS": "1", **extra}


def train_command(data: Path, folder: Path, *more: str) -> list[str]:
    base = [sys.executable, "tools/train.py", "configs/eanet/pap_st_ps.py", *SMALL]
    return [*base, "train.epochs=2", f"settings.data_root={data}", "--work-dir", str(folder), *more]


def test_a_run_leaves_everything_it_promises(unbroken):
    names = {p.relative_to(unbroken).as_posix() for p in unbroken.rglob("*") if p.is_file()}
    assert {"config.py", "metrics.json", "checkpoints/last.pth", "loss.png"} <= names
    assert "calibration.json" in names
    assert {"queries_source.csv", "queries_target.csv"} <= names
    assert {"ranks_source.png", "ranks_target.png", "parts_source.png"} <= names
    assert any(name.startswith("log/vis_data/events") for name in names)
    for values in metrics(unbroken).values():
        assert 0 < values["mAP"] <= values["R10"] <= 1


def test_the_folder_alone_gives_the_same_numbers(unbroken, run_command):
    done = run_command("test", unbroken)
    assert done.returncode == 0, done.stderr
    assert "to the last digit" in done.stdout
    trained_on = json.loads((unbroken / "metrics.json").read_text())["trained_on"]
    assert re.fullmatch(r"synthped/v\d+-easy/A", trained_on)
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("synthped")]
    assert rows == [[trained_on, trained_on], [trained_on, trained_on[:-1] + "B"]]


def test_extracted_features_give_the_runs_numbers(unbroken, run_command, tmp_path):
    done = run_command("extract", unbroken, "--out", tmp_path / "features")
    assert done.returncode == 0, done.stderr
    for test, wanted in metrics(unbroken).items():
        out = tmp_path / f"{test}.json"
        done = run_command(
            "evaluate", tmp_path / "features" / test, "--out", out,
            "--plugins", "eanet", "model.matcher=eanet/VisibilityMatcher",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(out.read_text())["metrics"] == wanted
    again = run_command("extract", unbroken, "--out", tmp_path / "features")
    assert again.returncode == 0 and again.stdout.count("is there already, from this run") == 2
    other = run_command("extract", unbroken, "--out", tmp_path / "features", "input.resize=pil")
    assert other.returncode == 2 and "exists already, of another origin" in other.stderr


def test_a_run_is_tested_with_reranking_and_compared_with_itself(unbroken, run_command, tmp_path):
    done = run_command(
        "test", unbroken, "+evaluation.rerank.rr=KReciprocal", "evaluation.far_targets=(0.01,)",
        "--out", tmp_path / "rr.json", "--queries", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "-> KReciprocal" in done.stdout and "TAR" in done.stdout
    tests = json.loads((tmp_path / "rr.json").read_text())["tests"]
    assert tests["target"]["metrics"]["mAP"] != metrics(unbroken)["target"]["mAP"]
    assert 0 < tests["target"]["verification"]["eer"] < 1
    done = run_command("compare", unbroken, tmp_path, "--resamples", "200")
    assert done.returncode == 0 and done.stdout.count("mAP_official") == 2, done.stderr


def test_the_calibration_is_opened_with_the_run(unbroken):
    run = Run.open(unbroken)
    stored = json.loads((unbroken / "calibration.json").read_text())
    calibration = run.model.matcher.calibration
    assert calibration.slope == stored["slope"] > 0
    assert calibration.positives == stored["positives"] > 0
    other = Run.open(unbroken, ["model.matcher=CosineMatcher"])
    assert other.model.matcher.calibration is None  # of other distances


@pytest.mark.parametrize("content", ["[1]", "{", "\xff", '{"matcher": {}, "slope": 1}', "[" * 9999])
def test_a_file_that_is_no_calibration_is_refused(tmp_path, content):
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(UserError, match="calibration.json: not the calibration of a run"):
        read_calibration(tmp_path, Config(dict(model=dict(matcher=dict(type="CosineMatcher")))))


def test_images_in_embeddings_out(unbroken, easy_data):
    import cv2

    import reidkit

    split_folder = next((easy_data / "synthped").rglob("query"))
    files = sorted(split_folder.glob("*.jpg"))[:3]
    images = [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in files]
    extractor = reidkit.load(unbroken)
    embedding = extractor(images)
    assert embedding.vectors.shape[:2] == (3, 9) and embedding.visibility.shape == (3, 9)
    with pytest.raises(ValueError, match=r"image 0 must be \(H, W, 3\) uint8"):
        extractor([images[0].astype("float32")])


def test_killed_and_resumed_equals_unbroken(unbroken, easy_data, tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(train_command(easy_data, folder), cwd=ROOT, env=one_thread())
    deadline = time.time() + 300
    while not (folder / "checkpoints" / "last.pth").exists() and time.time() < deadline:
        time.sleep(0.05)
        assert process.poll() is None, "ended before its first checkpoint"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "metrics.json").exists()
    resumed = [
        a.replace("settings.workers=0", "settings.workers=2")
        for a in train_command(easy_data, folder)
    ]
    assert subprocess.run([*resumed, "--resume"], cwd=ROOT, env=one_thread()).returncode == 0
    assert metrics(folder) == metrics(unbroken)


def test_two_processes_train_and_agree(easy_data, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = tmp_path / "ddp"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(port), *train_command(easy_data, folder)[1:]]
    done = subprocess.run(
        [a.replace("train.epochs=2", "train.epochs=1") for a in command],
        cwd=ROOT,
        env=one_thread(GLOO_SOCKET_IFNAME="lo"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("trained on") == 1, "only the first process speaks"
    out = tmp_path / "single.json"
    subprocess.run(
        [sys.executable, "tools/test.py", str(folder), "--out", str(out)],
        cwd=ROOT,
        env=one_thread(),
    )
    alone = {k: v["metrics"] for k, v in json.loads(out.read_text())["tests"].items()}
    together = metrics(folder)
    assert together == {k: pytest.approx(v, abs=2e-3) for k, v in alone.items()}


def test_the_published_recipe_at_full_size_takes_two_steps(easy_data, tmp_path):
    """ResNet-50 at 384x128 on SynthPed laid out as Market-1501 and DukeMTMC-reID."""
    root = tmp_path / "data"
    for domain, place in (("A", "market1501"), ("B", "dukemtmcreid")):
        source = next((easy_data / "synthped").glob(f"*-easy/{domain}"))
        for folder, count in (("bounding_box_train", 4), ("query", 2), ("bounding_box_test", 4)):
            (root / place / folder).mkdir(parents=True)
            for file in chosen(source / folder, count):
                name = duke_name(file.name) if place == "dukemtmcreid" else file.name
                shutil.copy(file, root / place / folder / name)
    done = subprocess.run(
        [
            *(sys.executable, "tools/train.py", "configs/eanet/pap_st_ps.py", "recipe=paper"),
            *("data=market1501_to_dukemtmcreid", "model.backbone.pretrained=None"),
            *("train.epochs=1", "train.batch_size=2", "settings.workers=0"),
            *("pose=synthped", "data.labeller.on_photographs=True"),
            *(f"settings.data_root={root}", "--work-dir", str(tmp_path / "run")),
        ],
        cwd=ROOT,
        env=one_thread(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "step 2/2" in done.stdout and "input 384x128" in done.stdout
    assert set(metrics(tmp_path / "run")) == {"source", "target"}


def chosen(folder: Path, count: int) -> list[Path]:
    """The first crops of real identities, spread over cameras so that queries have mates."""
    files = [f for f in sorted(folder.glob("*.jpg")) if not f.name.startswith(("-1", "0000"))]
    first = sorted({f.name[:4] for f in files})[:2]
    return [f for f in files if f.name[:4] in first][:count]


def duke_name(name: str) -> str:
    """0002_c1s1_000451_03.jpg as DukeMTMC-reID writes it: 0002_c1_f0000451.jpg."""
    identity, camera, frame, _ = name.split("_")
    return f"{identity}_{camera[:2]}_f{int(frame):07d}.jpg"


def test_a_finished_folder_is_not_overwritten(unbroken, easy_data):
    done = subprocess.run(
        train_command(easy_data, unbroken),
        cwd=ROOT,
        env=one_thread(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == f"{unbroken}: holds a finished run; choose another --work-dir"


def test_missing_data_is_refused_before_anything_starts(tmp_path, run_command):
    done = run_command(
        "train",
        "configs/eanet/pcb.py",
        "data=market1501",
        f"settings.data_root={tmp_path}",
        "--work-dir",
        tmp_path / "run",
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"Market-1501: not found in {tmp_path}/market1501")


def test_batches_that_the_files_cannot_fill_leave_no_folder(easy_data, tmp_path, run_command):
    """A subset of a real set: that it has 24 identities shows only when it is read."""
    source = next((easy_data / "synthped").glob("*-easy/A"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "market1501").symlink_to(source)
    done = run_command(
        "train", "configs/eanet/pcb.py", "data=market1501", "train.sampler=PKSampler",
        "train.batch_size=100", f"settings.data_root={tmp_path}/data", "--work-dir",
        tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr == (
        "PKSampler: 24 identities do not fill one batch of p=25 with k=4 crops each "
        "(train.batch_size=100); train.batch_size=96 would fit, or train.sampler.k=5\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_corrupt_image_is_named(easy_data, tmp_path, run_command):
    root = tmp_path / "data"
    source = next((easy_data / "synthped").glob("*-easy/A"))
    shutil.copytree(source, root / "market1501")
    bad = sorted((root / "market1501" / "bounding_box_train").glob("*.jpg"))[5]
    bad.write_bytes(bad.read_bytes()[:200])
    done = run_command(
        "train",
        "configs/eanet/pcb.py",
        "data=market1501",
        f"settings.data_root={root}",
        "train.epochs=1",
        "settings.workers=2",
        "--work-dir",
        tmp_path / "run",
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert bad.name in done.stderr and "Traceback" not in done.stderr
