"""Runs read back: the folder's own weights, another matcher, a matcher that was never trained."""

import pytest
import torch

from reidkit.config import prepare_config, render
from reidkit.engine import load
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.folder import CHECKPOINT
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.evaluation.matchers.vectors import CosineMatcher, EuclideanMatcher
from reidkit.structures import ReIDBatch

SMALL = ["model.backbone.depth=10", "model.backbone.width=8", "settings.device=cpu"]
QACONV = ["plugins=['eanet','qaconv']", "model.matcher=qaconv/QAConvMatcher"]


@pytest.fixture
def run_folder(tmp_path):
    """Makes the folder of a run as training leaves it, with weights as they start."""

    def make(name, *overrides):
        cfg = prepare_config(name, [*SMALL, *overrides])
        folder = tmp_path / "run"
        (folder / CHECKPOINT).parent.mkdir(parents=True)
        (folder / "config.py").write_text(render(cfg))
        state = build_model(cfg, TrainingSet(5)).state_dict()
        torch.save(
            dict(state_dict=state, meta=dict(training_set=dict(num_identities=5, cameras=[]))),
            folder / CHECKPOINT,
        )
        return folder

    return make


@pytest.mark.slow
def test_a_run_opens_without_the_weights_it_started_from(tiny_run, tmp_path, monkeypatch):
    """From another folder, its starting weights deleted; the model is built once."""
    first = tiny_run("eanet/pcb", folder="first")
    weights = tmp_path / "start.pth"
    state = first.model.backbone.state_dict()
    torch.save(state, weights)
    run = tiny_run("eanet/pcb", f"model.backbone.pretrained={weights}")
    report = (run.folder / "weights.txt").read_text()
    assert report.startswith(f"{weights}: ") and "\n  layer1.0  " in report
    weights.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    identities = []

    def counted(cfg, training_set, **options):
        identities.append(training_set.num_identities)
        return build_model(cfg, training_set, **options)

    monkeypatch.setattr(load, "build_model", counted)
    again = Run.open(run.folder)
    assert identities == [12]  # those of the training split, and one build
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    for before, now in zip(run.tests, again.test(), strict=True):
        assert before.result.metrics == now.result.metrics


def test_another_matcher_without_weights(run_folder):
    folder = run_folder("eanet/pcb")
    assert isinstance(Run.open(folder).model.matcher, CosineMatcher)
    other = Run.open(folder, ["model.matcher=EuclideanMatcher"])
    assert isinstance(other.model.matcher, EuclideanMatcher)


def test_a_matcher_that_learns_needs_its_weights(run_folder):
    folder = run_folder("eanet/pcb")
    with pytest.raises(UserError) as error:
        Run.open(folder, QACONV)
    assert str(error.value) == (
        f"{folder}/checkpoints/last.pth: holds no weights for model.matcher=qaconv/QAConvMatcher "
        "(first: matcher.norm.weight), because this run did not train it\n"
        "  train a run with it and with losses that it learns from, or test with a matcher that "
        "has no weights: CosineMatcher, EuclideanMatcher, VisiblePartsMatcher, "
        "eanet/VisibilityMatcher"
    )


def test_the_weights_of_a_matcher_that_is_not_used_are_left_out(run_folder):
    folder = run_folder("eanet/pcb", *QACONV)
    learned, plain = Run.open(folder), Run.open(folder, ["model.matcher=CosineMatcher"])
    assert "matcher.norm.weight" in learned.model.state_dict()
    assert isinstance(plain.model.matcher, CosineMatcher)
    images = ReIDBatch(torch.zeros(2, 3, 192, 64, dtype=torch.uint8))
    vectors = [run.model.embed(images).vectors for run in (learned, plain)]
    assert torch.equal(*vectors)


@pytest.mark.parametrize(
    ("overrides", "asked", "drop"),
    [
        (["model.head.stripes=4"], (4, 64, 32), "that override, or train with it"),
        (
            ["model.head.stripes=4", "model.head.dim=8"],
            (4, 8, 32),
            "those overrides, or train with them",
        ),
    ],
)
def test_overrides_that_the_weights_do_not_fit(run_folder, overrides, asked, drop):
    folder = run_folder("eanet/pcb")
    with pytest.raises(UserError) as error:
        Run.open(folder, ["settings.seed=1", *overrides])
    assert str(error.value) == (
        f"the weights of {folder} do not fit {' '.join(overrides)} (first: "
        f"head.embedding.linear.weight: (6, 64, 32) in the run, {asked} asked for); drop {drop}"
    )
