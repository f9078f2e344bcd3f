"""Stages and trackers: what each stage trains with, and what is sent to whoever keeps records."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import VISBACKENDS
from mmengine.visualization.vis_backend import BaseVisBackend

from reidkit.config import prepare_config
from reidkit.engine import training
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.dry_run import dry_run_problems
from reidkit.engine.optim import build_optim
from reidkit.errors import UserError


@VISBACKENDS.register_module()
class Recorder(BaseVisBackend):
    """A visualisation backend that keeps what it is given in the order in which it comes."""

    calls: list[tuple] = []

    def __init__(self, save_dir: str = ""):
        super().__init__(save_dir)

    def _init_env(self) -> None:
        """Nothing to set up."""

    @property
    def experiment(self):
        return self

    def add_config(self, config, **options) -> None:
        self.calls.append(("config", config.to_dict()))

    def add_scalar(self, name, value, step=0, **options) -> None:
        self.calls.append(("scalar", name, float(value), step))

    def add_scalars(self, scalar_dict, step=0, file_path=None, **options) -> None:
        for name, value in scalar_dict.items():
            self.calls.append(("scalar", name, value, step))

    def close(self) -> None:
        self.calls.append(("close",))


@pytest.mark.slow
def test_trackers_get_the_whole_config_and_the_final_numbers(tiny_run, monkeypatch):
    monkeypatch.setattr(Recorder, "calls", [])
    run = tiny_run("eanet/pcb", "visualizers=[dict(type='Recorder')]")
    config = next(call[1] for call in Recorder.calls if call[0] == "config")
    for key in ("data", "model", "train", "evaluation", "settings", "input"):
        assert config[key] == run.cfg.to_dict()[key] or key == "train", key
    assert config["train"]["optimizer"] == run.cfg.train.optimizer.to_dict()
    final = {call[1]: call[2:] for call in Recorder.calls if call[0] == "scalar"}
    for test in run.tests:
        for name, value in test.result.metrics.items():
            assert final[f"test/{test.domain}/{name}"] == (value, 3), name
    assert Recorder.calls.count(("close",)) == 1 and Recorder.calls[-1] == ("close",)


@pytest.mark.slow
def test_tensorboard_reads_the_config_and_the_final_numbers_back(tiny_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tiny_run("eanet/pcb", "visualizers=[dict(type='TensorboardVisBackend')]")
    events = EventAccumulator(str(run.folder / "log" / "vis_data"))
    events.Reload()
    (text,) = events.Tensors("config/text_summary")
    assert b"eanet/PCBHead" in text.tensor_proto.string_val[0]
    for test in run.tests:
        (last,) = events.Scalars(f"test/{test.domain}/mAP")
        assert last.value == pytest.approx(test.result.metrics["mAP"], abs=1e-6)


SGD = "train.optimizer=dict(type='SGD', lr=0.1, momentum=0.9)"
SWAP = "train.stages=dict(a=dict(epochs=1), b=dict(optimizer=dict(type='AdamW', lr=0.001)))"


def test_a_stage_with_another_optimiser_drops_the_options_of_the_first(tmp_path):
    cfg = prepare_config("eanet/pcb", [SGD, SWAP])
    first, second = training.stages(cfg, tmp_path)
    assert first.cfg.train.optimizer.type == "SGD" and first.cfg.train.optimizer.momentum == 0.9
    assert second.cfg.train.optimizer.to_dict() == dict(type="AdamW", lr=0.001)
    optim = build_optim(build_model(second.cfg, TrainingSet(2)), second.cfg.train)
    assert isinstance(optim.optimizer, torch.optim.AdamW)
    assert first.folder == tmp_path / "stage1" and second.folder == tmp_path
    assert second.cfg.train.load_from == str(tmp_path / "stage1" / "checkpoints" / "last.pth")


def test_the_check_builds_the_optimiser_and_schedule_of_every_stage():
    assert dry_run_problems(prepare_config("eanet/pcb", [SGD, SWAP])) == []
    for change, text in (
        ("optimizer=dict(foreach=True, fused=True)", "cannot be `True` together"),
        ("schedule=[dict(type='MultiStepLR', milestones=3)]", "'int' object is not iterable"),
        (
            "schedule=[dict(type='CosineAnnealingLR', T_max=3, begin=5, end=2)]",
            "end should be larger than begin",
        ),
    ):
        cfg = prepare_config(
            "eanet/pcb", [f"train.stages=dict(a=dict(epochs=1), b=dict({change}))"]
        )
        (problem,) = dry_run_problems(cfg)
        assert text in str(problem)


def test_a_step_of_more_batches_than_the_training_has_is_refused(tiny_run):
    with pytest.raises(UserError, match="train.accumulate=100000: 1 epochs of 3 batches are 3"):
        tiny_run("eanet/pcb", "train.accumulate=100000")
