"""boxmot: its evaluator, re-ranking, loader and training loop, one thread."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

NAMES = {"osnet": "osnet_x0_25", "resnet": "resnet50"}


def ranking(given: Any) -> Callable:
    """Cosine distances of all pairs, then CMC and mAP."""
    from boxmot.reid.training.evaluator import compute_distance_matrix, evaluate_ranking

    def work() -> float:
        table = compute_distance_matrix(given.query, given.gallery)
        return evaluate_ranking(table, *given.labels)[1]

    return work


def reranking(given: Any) -> Callable:
    """Its k-reciprocal re-ranking, which departs from the published one."""
    from boxmot.reid.training.evaluator import evaluate_ranking, re_ranking

    def work() -> Callable:
        table = re_ranking(given.query, given.gallery)
        return lambda: evaluate_ranking(table, *given.labels)[1]

    return work


def _extraction(given: Any, network: str) -> Callable:
    from boxmot.reid.core.registry import ReIDModelRegistry
    from boxmot.reid.datasets.base import ReIDSample
    from boxmot.reid.datasets.torch_dataset import ReIDImageDataset
    from boxmot.reid.datasets.transforms import build_test_transforms
    from boxmot.reid.training.evaluator import extract_features

    state = torch.load(given.folder / f"{network}.pth", weights_only=True)
    build = ReIDModelRegistry.build_model
    model = build(NAMES[network], None, num_classes=1, pretrained=False, use_gpu=False)
    own = model.state_dict()
    fits = {key: own[key].shape == value.shape for key, value in state.items() if key in own}
    model.load_state_dict({key: state[key] for key, fit in fits.items() if fit}, strict=False)
    samples = [ReIDSample(img_path=file, pid=0, camid=0) for file in given.files]
    data = ReIDImageDataset(samples, build_test_transforms((256, 128), preprocess="resize"))
    loader = torch.utils.data.DataLoader(data, batch_size=64)
    return lambda: extract_features(model, loader, torch.device("cpu"))[0][:4].tolist()


def extraction_osnet(given: Any) -> Callable:
    """Files to embeddings of OSNet x0.25."""
    return _extraction(given, "osnet")


def extraction_resnet(given: Any) -> Callable:
    """Files to embeddings of ResNet-50."""
    return _extraction(given, "resnet")


def _training(given: Any, network: str) -> Callable:
    from boxmot.reid.training.trainer import ReIDTrainer

    facts = given.facts["training"]
    trainer = ReIDTrainer(
        NAMES[network], "market1501", str(given.folder / "market1501"), epochs=1000,
        warmup_epochs=0, batch_size=facts["batch"], p=facts["batch"] // 4, k=4,
        pk_steps_per_epoch=facts["steps"], pretrained=False, num_workers=0, center_loss_weight=0.0,
        random_patch=False, color_augmentation=False, deterministic=False,
        project=str(Path(given.folder, "boxmot")),
    )  # fmt: skip
    trainer._prepare_runtime()
    data = trainer._build_dataset_bundle()
    models = trainer._build_model_bundle(data.num_classes)
    loader = trainer._build_loader_bundle(data).train
    losses = trainer._build_loss_bundle(models, data.num_classes)
    optim = trainer._build_optimization_bundle(models, losses)
    epochs = iter(range(1, 1000))

    def work() -> float:
        metrics = trainer._train_epoch(
            next(epochs), models.model, loader, losses.criterion_id, losses.criterion_metric,
            losses.criterion_center, optim.optimizer, optim.optimizer_center, optim.scheduler,
            ema_model=models.ema_model, grad_clip=optim.grad_clip,
        )  # fmt: skip
        return float(metrics.loss)

    return work


def training_osnet(given: Any) -> Callable:
    """An epoch of OSNet x0.25."""
    return _training(given, "osnet")


def training_resnet(given: Any) -> Callable:
    """An epoch of ResNet-50."""
    return _training(given, "resnet")
