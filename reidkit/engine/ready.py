"""Models to test and extract with: finished runs, and ready networks with a file of weights."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.devices import choose_device, start_processes
from reidkit.engine.label_plan import plan_of
from reidkit.engine.run import Run
from reidkit.engine.sharing import roboflow
from reidkit.engine.sharing.hub import PREFIX, snapshot
from reidkit.engine.sharing.read import is_saved_model, open_saved
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.models.osnet import NAMES
from reidkit.models.weights import read_weights
from reidkit.registry import BACKBONES

CONFIG = "_base_/ready"
ENDINGS = (".pth", ".pt", ".safetensors")
_HALF = dict(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_AT_HALF = ("TransReID", "CLIP-ReID")  # whose networks see images from -1 to 1


def open_model(
    model: str | Path,
    overrides: Sequence[str] = (),
    weights: str | Path | None = None,
    launcher: str = "none",
) -> Run:
    """A run that has a model, to test or to extract with.

    Args:
        model: a run folder; a saved model (``reidkit.save``), a folder of Roboflow's ``reid`` or
            one of timm, here or at "hf://<owner>/<name>" (docs/sharing.md); or the name of a
            network ("osnet_x0_25", "timm/<name>", "torchvision/<name>", a registered backbone).
        overrides: of its config, as on the command line.
        weights: file of a network; None: ``weights/<name>.pth`` in the data root, or the library's
            own for the networks of timm and torchvision.
        launcher: as ``start_processes``.

    Raises:
        UserError: none of these; weights that are missing or do not fit.
    """
    name = str(model)
    folder = snapshot(name) if name.startswith(PREFIX) else Path(name)
    if is_saved_model(folder) or (folder / "config.py").is_file():
        if weights is not None:
            what = "saved model" if is_saved_model(folder) else "run"
            raise UserError(f"{folder}: a {what} has its own weights; leave weights={weights} out")
        opened = open_saved if is_saved_model(folder) else Run.open
        return opened(folder, overrides, launcher)
    if (folder / roboflow.FILE).is_file() or (folder / "config.json").is_file():
        found = roboflow.read if (folder / roboflow.FILE).is_file() else exported
        name, file, own = found(folder)
        return open_network(name, weights or file, [*own, *overrides], launcher)
    if folder.is_dir():
        if weights is not None:
            raise UserError(f"{folder}: a run has its own weights; leave weights={weights} out")
        return Run.open(folder, overrides, launcher)
    return open_network(name, weights, overrides, launcher)


def open_network(
    name: str, weights: str | Path | None, overrides: Sequence[str], launcher: str = "none"
) -> Run:
    """A network that nothing is trained of, as a run without a folder of its own.

    Args:
        name, weights, overrides, launcher: see ``open_model``.
    """
    backbone = _backbone(name)
    if weights is None and backbone.partition("/")[0] not in ("timm", "torchvision"):
        weights = _placed(name, overrides)
    if weights is not None and not Path(weights).is_file():
        raise UserError(f"{name}: weights={weights}: no such file")
    chosen = "imagenet" if weights is None else str(weights)
    head = "FCHead" if backbone.startswith("torchreid/") else "BNNeckHead"
    own = [
        f"model.backbone={backbone}",
        f"model.backbone.pretrained={chosen!r}",
        f"model.head={head}",
        *([] if weights is None else [f"model.head.pretrained={chosen!r}"]),
        *_pixels(backbone, weights),
    ]
    cfg = prepare_config(CONFIG, [*own, *overrides])
    device = choose_device(cfg.settings.device)
    run = Run(cfg, Path(name), device, launcher=start_processes(launcher, device))
    run.model = build_model(cfg, TrainingSet(1)).to(device).eval()
    run.weights = None if weights is None else Path(weights)
    run.domains.plan = plan_of(run.model)
    return run


def _backbone(name: str) -> str:
    """The component that a name stands for.

    Raises:
        UserError: none; the text names what there is.
    """
    library = name.partition("/")[0] if "/" in name else ""
    if name in NAMES:
        return f"torchreid/{name}"
    if library in BACKBONES.libraries or (not library and name in BACKBONES.names()):
        return name
    near = difflib.get_close_matches(name, NAMES, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UserError(
        f"{name}: neither a run folder nor a network{hint}\n"
        f"  networks: {', '.join(NAMES)}, timm/<name>, torchvision/<name>, "
        f"{', '.join(n for n in BACKBONES.names() if '/' not in n)}"
    )


def _placed(name: str, overrides: Sequence[str]) -> Path:
    """The file of a network in the data root.

    Raises:
        UserError: there is none; the text says what to place where.
    """
    root = Path(prepare_config(CONFIG, _settings(overrides)).settings.data_root) / "weights"
    for ending in ENDINGS:
        if (root / f"{name}{ending}").is_file():
            return root / f"{name}{ending}"
    raise UserError(
        f"{name}: no weights; name a file with weights=FILE, or place one as {root / name}.pth "
        "(docs/weights.md says where there are some)"
    )


def _settings(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if text.lstrip("+").startswith("settings.")]


def _pixels(backbone: str, weights: str | Path | None) -> Iterator[str]:
    """Overrides for networks that want other means than ImageNet's."""
    values: dict[str, Any] = {}
    if weights is not None and read_weights(weights).writer in _AT_HALF:
        values = _HALF
    elif backbone.startswith("timm/"):
        import timm

        cfg = timm.get_pretrained_cfg(backbone.removeprefix("timm/"), allow_unregistered=True)
        values = dict(mean=cfg.mean, std=cfg.std) if cfg is not None else {}
    for key, value in values.items():
        yield f"model.transforms.test.normalize.{key}={tuple(value)!r}"


def exported(folder: Path) -> tuple[str, Path, list[str]]:
    """Network, file of weights and overrides of a folder with ``config.json``.

    The config is timm's ("architecture", "pretrained_cfg" with mean and std), or names a network of
    ours: ``{"network": "osnet_x0_25", "input_size": [256, 128], "mean": [...], "std": [...]}``.

    Args:
        folder: holds ``config.json`` and one ``.safetensors``.

    Raises:
        UserError: a config of another kind, or not one file of weights.
    """
    file = folder / "config.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        name = content.get("network") or f"timm/{content['architecture']}"
        own = {**content.get("pretrained_cfg", {}), **content}
        size = own.get("input_size") if "network" in content else None
        values = {"input.size": size}
        values |= {f"model.transforms.test.normalize.{k}": own.get(k) for k in ("mean", "std")}
        overrides = [f"{key}={_numbers(value)!r}" for key, value in values.items() if value]
    except WRONG_CONTENT:
        raise UserError(
            f'{file}: names no network; expected "network": "osnet_x0_25", or timm\'s '
            '"architecture"'
        ) from None
    if not isinstance(name, str):
        raise UserError(f"{file}: network: expected a name, got {name!r:.80}")
    weights = sorted(folder.glob("*.safetensors"))
    if len(weights) != 1:
        raise UserError(f"{folder}: expected one .safetensors file, found {len(weights)}")
    return name, weights[0], overrides


def _numbers(value: Any) -> tuple[float, ...]:
    if not all(type(one) in (int, float) for one in value):
        raise TypeError(value)
    return tuple(value)
