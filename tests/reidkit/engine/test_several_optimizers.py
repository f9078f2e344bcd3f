"""Models with several optimisers, pictures during training, and runs that need runs."""

import os
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapperDict
from torch import nn

from reidkit.config import ConfigError, prepare_config
from reidkit.engine.optim import build_optim
from reidkit.engine.products.samples import SampleHook
from reidkit.engine.wrappers import average_gradients
from reidkit.errors import UserError
from reidkit.structures import ReIDBatch


class Two(nn.Module):
    """Two parts with an optimiser each; the second part has a new layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.new = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

    def parameter_groups(self):
        return dict(
            first=list(self.a.parameters()),
            second=[*self.b.parameters(), *self.new.parameters()],
        )


GIVEN = dict(first=dict(type="SGD", lr=0.1), second=dict(type="Adam", lr=0.01, betas=(0.0, 0.9)))


def test_one_optimiser_for_each_part():
    optim = build_optim(Two(), dict(optimizers=GIVEN, lr_mult={"new.*": 10.0}))
    assert isinstance(optim, OptimWrapperDict)
    rates = optim.get_lr()
    assert (rates["first.lr"], rates["second.lr"]) == ([0.1], [0.01, 0.1])
    assert isinstance(optim["second"].optimizer, torch.optim.Adam)


@pytest.mark.parametrize(
    "model, train, text",
    [
        (Two(), dict(optimizers=dict(first=GIVEN["first"])), r"\['first'\], but Two trains"),
        (nn.Linear(1, 1), dict(optimizers=GIVEN), "all of it with one train.optimizer"),
        (nn.Linear(1, 1), dict(optimizer=None), "train.optimizer=None: Linear needs one"),
    ],
)
def test_optimisers_that_do_not_fit_the_model(model, train, text):
    with pytest.raises(UserError, match=text):
        build_optim(model, train)


def test_optimisers_in_the_config_are_checked():
    with pytest.raises(ConfigError) as error:
        prepare_config(
            "dgnet/dgnet",
            ["train.optimizers.reid.type=AdamWW", "+prerequisites.other.config=dgnet/techer"],
        )
    text = str(error.value)
    assert "train.optimizers.reid.type (command line): no optimizer named 'AdamWW'" in text
    assert "prerequisites.other.config (command line): dgnet/techer: no such config" in text
    assert "did you mean 'dgnet/teacher'" in text


def work(rank, port, out):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    net = nn.ModuleDict(dict(a=nn.Linear(2, 1), b=nn.Linear(2, 1), c=nn.Linear(2, 1)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for p in net["a"].parameters():
        p.grad = torch.full_like(p, float(rank))
    if rank == 0:
        for p in net["b"].parameters():
            p.grad = torch.ones_like(p)
    average_gradients(optimizer)
    torch.save({n: p.grad for n, p in net.named_parameters()}, f"{out}/{rank}.pth")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_gradients_are_averaged_over_processes(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    context = torch.multiprocessing.get_context("fork")
    ranks = [context.Process(target=work, args=(r, port, str(tmp_path))) for r in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
        assert process.exitcode == 0
    for rank in range(2):
        grads = torch.load(tmp_path / f"{rank}.pth", weights_only=True)
        for name, grad in grads.items():
            if name.startswith("c"):
                assert grad is None  # nobody has one: optimisers skip it
            else:
                assert torch.equal(grad, torch.full_like(grad, 0.5)), name


class Painter(nn.Module):
    """Paints the identities it is shown."""

    def draw_samples(self, batch):
        self.seen = batch
        return {"faces": np.full((4, 6, 3), 7, np.uint8)}


class Crops:
    """A data set of numbered crops."""

    identities = np.repeat([4, 5, 6, 7], 3)

    def __getitems__(self, rows):
        return ReIDBatch(torch.zeros(len(rows), 3, 4, 2), indices=torch.tensor(rows))


def test_pictures_go_to_the_visualiser_and_the_folder(tmp_path):
    shown = []
    visualizer = SimpleNamespace(add_image=lambda name, image, step: shown.append((name, step)))
    runner = SimpleNamespace(
        model=Painter(), train_dataloader=SimpleNamespace(dataset=Crops()), work_dir=tmp_path,
        visualizer=visualizer, max_epochs=3, epoch=0, iter=10,
    )  # fmt: skip
    hook = SampleHook(interval=2, count=3)
    hook.before_train(runner)
    for epoch in range(3):
        runner.epoch, runner.iter = epoch, 10 * (epoch + 1)
        hook.after_train_epoch(runner)
    assert shown == [("samples/faces", 20), ("samples/faces", 30)]
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [
        "faces_000020.png", "faces_000030.png",
    ]  # fmt: skip
    assert runner.model.seen.indices.tolist() == [0, 3, 9]  # one crop each of three identities
    runner.model = nn.Linear(1, 1)
    with pytest.raises(UserError, match="Linear draws no samples"):
        hook.before_train(runner)
    with pytest.raises(ValueError, match="at least 1"):
        SampleHook(interval=0)
