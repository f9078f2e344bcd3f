"""What ours and every peer read: features and labels, crops, weights, a network, a data set."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.bench.data import write_crops
from reidkit.bench.evaluation import make_features
from reidkit.config.files import configs_folder
from reidkit.models.heads import FCHead
from reidkit.models.osnet import OSNet

POSE = "rtmpose-s"
TRAINING = """
_base_ = [{base!r}]
groups = dict(data="market1501", recipe="peers")
recipes = dict(peers=dict())
model = dict(
    type="ReIDModel",
    losses=dict(
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss", label_smoothing=0.1)),
        triplet=dict(domain="source", loss=dict(type="BatchHardTripletLoss", margin=0.3)),
    ),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop", pad=4),
            normalize=dict(type="Normalize"),
            erase=dict(type="RandomErasing", p=0.5),
        ),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
train = dict(
    epochs=999,
    batch_size={batch},
    sampler=dict(type="PKSampler", k=4, epoch_length="images"),
    optimizer=dict(type="Adam", lr=3.5e-4, weight_decay=5e-4),
    checkpoint_interval=999,
)
data = dict(domains=dict(source=dict(check_counts="never")))
settings = dict(data_root={root!r}, device="cpu", precision="fp32", workers=0)
"""


def write_features(folder: Path, sizes: dict[str, Any]) -> None:
    """Features and labels of ``make_features`` as numpy files.

    Args:
        folder: where to; made here.
        sizes: keyword arguments of ``make_features``; those of Market-1501 by default.
    """
    folder.mkdir()
    data = make_features(**sizes)
    np.save(folder / "query.npy", data.query)
    np.save(folder / "gallery.npy", data.gallery)
    q, g = data.q, data.g
    sides = dict(q=q.identities, g=g.identities, qc=q.cameras, gc=g.cameras)
    np.savez(folder / "labels.npz", **sides)  # type: ignore[arg-type]
    _write_facts(folder)


def write_images(folder: Path, count: int, weights: str | None) -> None:
    """JPEG crops and the weights of the networks that embed them.

    Args:
        folder: where to; made here.
        count: number of crops.
        weights: torchreid's file of OSNet x0.25; None: random ones.
    """
    import torchvision

    (folder / "crops").mkdir(parents=True)
    write_crops(folder / "crops", count)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50().state_dict(), folder / "resnet.pth")
    if weights is None:
        net = OSNet("osnet_x0_25")
        head = FCHead(net.specs, num_identities=1, feature=net.default)
        torch.save(net.state_dict() | head.state_dict(), folder / "osnet.pth")
    else:
        shutil.copy(weights, folder / "osnet.pth")
    _write_facts(folder)


def write_pose(folder: Path, count: int) -> None:
    """JPEG crops, random weights of an RTMPose, and the same network as an ONNX file.

    Args:
        folder: where to; made here.
        count: number of crops.
    """
    from reidkit.pose.compat import quiet
    from reidkit.pose.models import build_model, resolve

    (folder / "crops").mkdir(parents=True)
    write_crops(folder / "crops", count)
    torch.manual_seed(0)
    model: Any = build_model(resolve(POSE, "random"))[0]
    torch.save({"state_dict": model.state_dict()}, folder / "pose.pth")
    images = torch.zeros(1, 3, 256, 192)
    model.forward = lambda x: model.head.forward(model.extract_feat(x))
    with quiet(), torch.no_grad():
        torch.onnx.export(
            model, (images,), str(folder / "pose.onnx"), input_names=["input"],
            output_names=["simcc_x", "simcc_y"], opset_version=17, dynamo=False,
        )  # fmt: skip
    _write_facts(folder)


def write_training(folder: Path, steps: int, batch: int) -> None:
    """A data set in the layout of Market-1501, and our config that trains on it.

    Args:
        folder: where to; made here.
        steps: batches in an epoch.
        batch: images in a batch, four of each person.
    """
    (folder / "crops").mkdir(parents=True)
    write_crops(folder / "crops", steps * batch)
    train, query, gallery = (
        folder / "market1501" / part
        for part in ("bounding_box_train", "query", "bounding_box_test")
    )
    for place in (train, query, gallery):
        place.mkdir(parents=True)
    for number, file in enumerate(sorted((folder / "crops").iterdir())):
        os.link(file, train / f"{number // 8 + 1:04d}_c{number % 6 + 1}s1_{number:06d}_00.jpg")
    for place, camera in ((query, 1), (gallery, 2)):
        shutil.copy(file, place / f"9999_c{camera}s1_000000_00.jpg")
    shipped = configs_folder()
    assert shipped is not None, "no shipped configs"
    base = str(shipped / "_base_" / "default.py")
    config = TRAINING.format(batch=batch, root=str(folder), base=base)
    (folder / "training.py").write_text(config)
    _write_facts(folder, training=dict(steps=steps, batch=batch))


def _write_facts(folder: Path, **facts: Any) -> None:
    (folder / "facts.json").write_text(json.dumps(facts))
