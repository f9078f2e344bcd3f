"""Which format a file or folder of keypoints is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reidkit.data.coco_json import read_json
from reidkit.errors import UserError
from reidkit.plugin.extend import extensions, unknown_name
from reidkit.pose.formats import alphapose, coco, mmpose, openpose, torchvision, ultralytics
from reidkit.pose.people import LabelledImage

LabelReader = Callable[[Path | str], list[LabelledImage]]

FORMATS: dict[str, LabelReader] = {
    "coco": coco.read,
    "mmpose": mmpose.read,
    "alphapose": alphapose.read,
    "openpose": openpose.read,
    "ultralytics": ultralytics.read,
    "ultralytics-txt": ultralytics.read_txt,
    "torchvision": torchvision.read,
}


def label_reader(name: str) -> LabelReader:
    """The function that reads one format of label files.

    Args:
        name: of ``FORMATS``, or ``<plugin>/<format>`` of a plugin that extends ``label_formats``.

    Raises:
        UserError: there is no such format, or its plugin cannot be loaded.
    """
    if name in FORMATS:
        return FORMATS[name]
    formats = extensions("label_formats")
    if name not in formats:
        raise UserError(unknown_name("label format", name, [*FORMATS, *formats]))
    return formats[name].load()


def recognise(path: Path | str) -> str:
    """The name of a file's or folder's format, by what it holds.

    Raises:
        UserError: nothing there, or of no known format.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix in (".json", ".txt"))
        files = [f for f in files if f.suffix == ".json"] or files
        if not files:
            raise UserError(f"{path}: no .json or .txt files in this folder; {_known()}")
    if files[0].suffix in (".npz", ".pt", ".pth"):
        return "torchvision"
    if files[0].suffix == ".txt":
        return "ultralytics-txt"
    for file in files if files[0].suffix == ".json" else ():
        content = read_json(file)
        if content == []:  # an image in which nobody was found tells nothing
            continue
        if (name := _of_json(content)) is not None:
            return name
        break
    raise UserError(f"{path}: keypoints of no format that is recognised; {_known()}")


def _known() -> str:
    names = [*FORMATS, *extensions("label_formats")]
    return f"say which one it is with --import-format: {', '.join(names)}"


def _of_json(content: Any) -> str | None:
    if isinstance(content, dict):
        keys = {"annotations": "coco", "people": "openpose", "instance_info": "mmpose"}
        for key, name in keys.items():
            if key in content:
                return name
        first = next(iter(content.values()), None)
        if isinstance(first, dict) and "keypoints" in first:
            return "torchvision"
        return "ultralytics" if isinstance(first, list) else None
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict):
        return None
    if "image_id" in first:
        return "alphapose"
    if "keypoint_scores" in first:
        return "mmpose"
    return "ultralytics" if isinstance(first.get("keypoints"), dict) else None
