"""The long work that ``chaos.py`` breaks off: commands, what must come of them, their imports."""

from __future__ import annotations

import hashlib
import importlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("train", "extract", "synthped", "generate_part_labels")
TRAIN = (
    "train.epochs=2", "train.batch_size=12", "input.size=(64,32)", "settings.workers=0",
    "settings.device=cpu", "settings.precision=fp32", "settings.pictures=False",
)  # fmt: skip
DRSA = (
    "train.batch_size=16", "train.stages.cnn.epochs=1", "train.stages.spatial.epochs=1",
    "train.stages.temporal.epochs=1", "train.stages.tune.epochs=1", "data.tests=['source']",
)  # fmt: skip
DGNET = (
    "model.networks.structure_dim=2", "model.networks.mlp_dim=8", "model.networks.dim=8",
    "model.networks.discriminator_dim=4", "model.networks.dilations=(1,2,3)",
    "train.sampler.steps=3", "train.batch_size=8", "hooks.samples.interval=3",
    "~prerequisites.generator",
    'prerequisites.teacher.overrides=["train.epochs=1","train.batch_size=8","model.backbone.width=8"]',
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """A kind of long work.

    Attributes:
        name: as reported.
        command: (folder of a trial) -> arguments of ``reidkit``.
        result: (folder) -> what must be the same however often it was broken off.
        again: arguments that are added to go on.
        share: of all kill points; 0 for what only others need.
        before: (folder) -> None, makes what the command needs.
    """

    name: str
    command: Callable[[Path], list[str]]
    result: Callable[[Path], dict[str, str]]
    again: tuple[str, ...] = ()
    share: int = 1
    before: Callable[[Path], object] = lambda folder: None


def files_below(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """SHA-256 of every file by relative path."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and not name.endswith(skip):
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return found


def stored_labels(data: Path) -> dict[str, str]:
    """The arrays of all label stores of a data root."""
    found = files_below((data / "part_labels").resolve())
    return {name: digest for name, digest in found.items() if name.endswith(".npy")}


def run_result(folder: Path) -> dict[str, str]:
    """Numbers, losses, tables of queries and weights of every run below a folder."""
    from reidkit.utils.checkpoint import load_checkpoint

    found = {}
    for file in sorted(folder.rglob("metrics.json")):
        run, content = file.parent, json.loads(file.read_text())
        name = run.relative_to(folder).as_posix()
        found |= {f"{name} {key}": json.dumps(content[key]) for key in ("tests", "logs")}
        found |= {f"{name} {p.name}": p.read_text() for p in sorted(run.glob("queries_*.csv"))}
        state = load_checkpoint(run / "checkpoints" / "last.pth")["state_dict"]
        digest = hashlib.sha256(b"".join(t.numpy().tobytes() for t in state.values()))
        found[f"{name} weights of {len(state)}"] = digest.hexdigest()
    return found


def works(base: Path) -> list[Work]:
    """All kinds of work, on the data and the run that the unbroken ones leave in ``base``."""
    data = base / "data"

    def render(*more: str) -> Callable[[Path], list[str]]:
        return lambda folder: ["synthped", "--preset", "tiny", "--domains", "A", "B",
                               "--root", str(folder / "data"), *more]  # fmt: skip

    def label(folder: Path) -> list[str]:
        return ["generate-part-labels", "SynthPed", "preset=tiny", "domain=A", "--workers", "0",
                "--data-root", str(folder / "data"), "--device", "cpu"]  # fmt: skip

    def video(folder: Path) -> list[str]:
        return ["synthped", "--preset", "easy", "--video", "--domains", "A", "B",
                "--root", str(folder / "data")]  # fmt: skip

    def linked(folder: Path) -> None:
        (folder / "data").mkdir()
        (folder / "data" / "synthped").symlink_to(data / "synthped")

    def train(config: str, *more: str, data_set: str = "synthped_tiny") -> Work:
        where = [f"settings.data_root={data}"]
        return Work(
            f"train {config}",
            lambda folder: ["train", config, *TRAIN, f"data={data_set}", *more, *where,
                            f"settings.work_dir={folder / 'runs'}",
                            "--work-dir", str(folder / "runs" / "own")],
            run_result, ("--resume",), 2,
        )  # fmt: skip

    def extract(folder: Path) -> list[str]:
        run = base / "train eanet_pap_s_ps" / "runs" / "own"
        return ["extract", str(run), "settings.workers=0", "--out", str(folder / "features")]

    narrow = "model.backbone.width=8"
    return [
        Work("render", render("--workers", "0"), lambda f: files_below(f / "data"), share=3),
        Work("render, 2 workers", render("--workers", "2"), lambda f: files_below(f / "data")),
        Work("render video", video, lambda f: {"files": str(len(files_below(f / "data")))}, share=0,
             before=lambda f: (f / "data").symlink_to(data)),
        Work("label", label, lambda f: files_below(f / "data" / "part_labels"), share=4,
             before=linked),
        train("eanet/pap_s_ps", narrow, "model.backbone.depth=10"),
        train("qaconv/qaconv_gs", narrow, "model.head.dim=8", "train.schedule=None"),
        train("jlml/jlml", narrow, "model.head.dim=32"),
        train("drsa/drsa", narrow, "model.head.hidden=8", *DRSA, data_set="synthped_video_easy"),
        train("dgnet/dgnet", narrow, *DGNET),
        Work("extract", extract, lambda f: files_below(f / "features"), share=3),
    ]  # fmt: skip


def import_everything() -> None:
    """Import what the commands will need, and start no thread: processes are forked from here."""
    import torch

    for name in COMMANDS:
        importlib.import_module(f"reidkit.cli.{name}")
    for name in ("engine.run", "engine.training", "pose.labeller", "evaluation.io.store"):
        importlib.import_module(f"reidkit.{name}")
    from reidkit.pose.compat import load_mmpose

    load_mmpose()
    importlib.import_module("torch.utils.tensorboard")
    torch.set_num_threads(1)
    assert threading.active_count() == 1
