"""The one place that makes mmpose importable on a plain installation.

mmpose names three packages that top-down inference and training never use but that are imported
with it. ``load_mmpose`` puts small stand-ins for them into ``sys.modules``, each only when the real
module cannot be imported, and then imports mmpose. Nothing else in reidkit imports mmpose directly
before calling it, and importing ``reidkit.pose`` does not call it.

| missing | stand-in | used in mmpose by |
|---|---|---|
| ``xtcocotools`` (wheels need numpy 1) | ``pycocotools`` | COCO readers, metrics |
| ``mmcv.ops`` (absent from mmcv-lite) | a placeholder for one class | ED-Pose |
| ``mmdet.utils`` | two placeholders | RTMO |
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from reidkit.errors import UserError


def _importable(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        importlib.import_module(name)
    except Exception:  # a binary built for another numpy raises ValueError, not ImportError
        for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            del sys.modules[loaded]
        return False
    return True


def placeholder(name: str, package: str) -> type:
    """A class of that name which raises a clear error when it is built.

    Args:
        name: what mmpose imports, as in ``MultiScaleDeformableAttention``.
        package: the distribution that has the real one, named in the error.

    Example:
        >>> placeholder("reduce_mean", "mmdet")()
        Traceback (most recent call last):
        reidkit.errors.UserError: this model needs 'reduce_mean' from mmdet, which is not installed
    """

    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise UserError(f"this model needs {name!r} from {package}, which is not installed")

    return type(name, (), {"__init__": refuse})


def _stand_in(name: str, **contents: Any) -> None:
    module = types.ModuleType(name, "stand-in of reidkit.pose.compat")
    module.__dict__.update(contents)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def _install_stand_ins() -> None:
    if not _importable("xtcocotools.coco"):
        for name in ("", ".mask", ".coco", ".cocoeval"):
            sys.modules["xtcocotools" + name] = importlib.import_module("pycocotools" + name)
    if not _importable("mmcv.ops"):
        name = "MultiScaleDeformableAttention"
        _stand_in("mmcv.ops", **{name: placeholder(name, "the full mmcv (not mmcv-lite)")})
    if not _importable("mmdet.utils"):
        if "mmdet" not in sys.modules:
            _stand_in("mmdet", __path__=[])
        _stand_in("mmdet.utils", ConfigType=dict, reduce_mean=placeholder("reduce_mean", "mmdet"))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings known to be raised by mmpose, mmcv and mmengine, and no others."""
    with warnings.catch_warnings():
        for module in ("mmpose", "mmcv", "mmengine", "json_tricks", "pycocotools", "munkres"):
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAtt")
        warnings.filterwarnings("ignore", category=SyntaxWarning)
        yield


@cache
def load_mmpose() -> types.ModuleType:
    """Import mmpose, with stand-ins where needed, and register all its components.

    Raises:
        UserError: mmpose is not installed, or fails to import for another reason.
    """
    with quiet():
        _install_stand_ins()
        try:
            mmpose = importlib.import_module("mmpose")
            for part in ("models", "datasets", "codecs", "evaluation", "apis"):
                importlib.import_module(f"mmpose.{part}")
        except ImportError as error:
            raise UserError(
                f"part labels need mmpose, which could not be imported: {error}\n"
                "docs/install.md, 'Keypoints with mmpose', has the commands that install it"
            ) from error
    return mmpose
