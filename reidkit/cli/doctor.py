"""``reidkit doctor``: examine a data set, or this installation."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reidkit.cli.common import parser, split_overrides
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/doctor.py data data/market1501
  python tools/doctor.py data data/mine 'camera=_cam(\\d+)' --write mine     then: data=mine
  python tools/doctor.py data data/mine --reader ImageTable table=crops.csv --every 10
  python tools/doctor.py data mine                               a file of configs/_base_/data
  python tools/doctor.py labels RUN --out suspects.csv           labels that look wrong
  python tools/doctor.py env
The exit status is 1 when there is an error."""

# distribution -> what does not work without it
NEEDED = {
    "torch": "everything", "numpy": "everything", "mmengine-lite": "everything (or mmengine)",
    "opencv-python-headless": "decoding and resizing (or opencv-python)",
    "yacs": "settings", "scipy": "tracklets, .mat files",
    "scikit-learn": "tests of the metrics", "simplejpeg": "decoding", "safetensors": "weights",
}  # fmt: skip
WANTED = {
    "mmpose": "part labels (tools/generate_part_labels.py)",
    "mmcv-lite": "part labels (or mmcv)",
    "torchvision": "torchvision's backbones, timm, part labels",
    "onnxruntime": "exported models",
    "pyarrow": "Parquet tables and features",
    "timm": "timm's backbones",
    "wandb": "visualizers=[dict(type='WandbVisBackend')]",
    "tensorboard": "visualizers",
    "matplotlib": "pictures",
}
EITHER = {
    "mmengine-lite": "mmengine",
    "mmcv-lite": "mmcv",
    "opencv-python-headless": "opencv-python",
}


def main(argv: list[str]) -> int:
    """Dispatch data and env."""
    command = parser("reidkit doctor", "Examine a data set or this installation.", EXAMPLES)
    commands = command.add_subparsers(dest="command", required=True, metavar="command")
    data = commands.add_parser("data", help="files, identities and cameras of a data set")
    data.add_argument("folder", help="of a data set, or the name of a data group")
    data.add_argument("--reader", help="name of a reader; default: found by the layout")
    data.add_argument("--every", type=int, default=1, help="decode only each n-th file")
    data.add_argument("--write", metavar="NAME", help="write the data group, for data=NAME")
    data.add_argument("options", nargs="*", metavar="key=value", help="options of the reader")
    labels = commands.add_parser("labels", help="images whose label looks wrong to a run's model")
    labels.add_argument("run", help="run folder")
    labels.add_argument("--test", metavar="DOMAIN", help="default: the run's first test")
    labels.add_argument("--share", type=float, default=0.06, help="of images listed at most")
    labels.add_argument("--out", type=Path, metavar="CSV", help="write them as corrections")
    commands.add_parser("env", help="versions that work together, and what is missing for what")
    typed, rest = split_overrides(argv)
    args = command.parse_args(rest)
    if args.command == "env":
        return environment()
    if args.command == "labels":
        from reidkit.cli.doctor_labels import examine_labels

        return examine_labels(args.run, typed, args.test, args.share, args.out)
    if args.every < 1:
        raise UserError(f"--every must be at least 1, got {args.every}")
    if args.options:
        raise UserError(f"{args.options[0]!r} is no option; write key=value")
    return data_set(args.folder, args.reader, args.every, typed, args.write)


def data_set(
    place: str,
    reader_name: str | None,
    every: int,
    typed: Sequence[str] = (),
    write: str | None = None,
) -> int:
    """Print all findings about a data set; 1 when there is an error.

    Args:
        place: its folder, or the name of a data group.
        reader_name: of the reader; None finds it by the layout.
        every: decode only each n-th file.
        typed: options of the reader, as key=value.
        write: name of the data group to write; None for none.
    """
    from reidkit.registry import import_core

    import_core()
    from reidkit.cli.data_group import described, group_reader, write_group
    from reidkit.data.datasets.doctor import Finding, examine
    from reidkit.data.datasets.layouts import find_reader
    from reidkit.evaluation.protocols import find_protocol

    options = reader_options(typed)
    if not Path(place).is_dir() and "/" not in place and reader_name is None:
        reader, options = group_reader(place, options)
    else:
        reader = find_reader(Path(place), reader_name, options)
    splits = reader.splits()
    shown = described(reader, options)
    print(f"{place}: layout of {shown}, protocol {reader.protocol}")
    across = find_protocol(reader.protocol).across_cameras
    findings = [*examine(splits, every, across), *_notes(reader), *_random(reader)]
    findings += _labels(reader)
    for finding in sorted(findings, key=lambda f: ("error", "warning", "info").index(f.level)):
        text = finding.text.encode(errors="surrogateescape").decode(errors="replace")
        print(f"{finding.level:<7}  {text}")
    if write is not None:
        print(f"written: {write_group(write, reader, options)}; use it with data={write}")
    errors = [f for f in findings if isinstance(f, Finding) and f.level == "error"]
    warnings = [f for f in findings if f.level == "warning"]
    print(f"{len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


def reader_options(typed: Sequence[str]) -> dict[str, Any]:
    """Values as Python literals where they are some, else as text: patterns need no quotes."""
    options: dict[str, Any] = {}
    for option in typed:
        key, equals, text = option.partition("=")
        if not equals or not key.isidentifier():
            raise UserError(f"{option!r} is no option of a reader; write key=value")
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[key] = text
    return options


def _notes(reader) -> list:
    """What the reader left out or numbered, whose part labels there are, what the names tell."""
    from reidkit.data.datasets.doctor import Finding
    from reidkit.data.datasets.patterns import suggest_camera
    from reidkit.pose.findings import label_findings

    notes = getattr(reader, "notes", [])
    findings = [Finding("warning" if "left out" in note else "info", note) for note in notes]
    labels = label_findings(reader.data_root / "part_labels", reader.splits())
    findings += [Finding(level, text) for level, text in labels]
    if type(reader).__name__ == "ImageFolder" and reader.camera is None:
        paths = [path for split in reader.splits().values() for path in split.paths]
        if found := suggest_camera(paths):
            text = f"file names seem to tell cameras: try '{'='.join(*found.items())}'"
            findings.append(Finding("warning", text))
    return findings


def _labels(reader) -> list:
    """Whose keypoints the data set has in its data root, and how good they look."""
    from reidkit.data.datasets.doctor import Finding

    root = Path(reader.data_root, "part_labels")
    if not root.is_dir():
        return []
    from reidkit.pose.findings import label_findings

    return [Finding(level, text) for level, text in label_findings(root, reader.splits())]


def _random(reader) -> list:
    """What a model that knows nothing would score, and the queries that cannot be answered."""
    from reidkit.data.datasets.doctor import SHOWN, Finding
    from reidkit.evaluation.labelled import Labels
    from reidkit.evaluation.metrics.ranked import random_ranker
    from reidkit.evaluation.protocols import find_protocol, match_labels

    splits, rules = reader.splits(), find_protocol(reader.protocol)
    if not {"query", "gallery"} <= set(splits):
        return []
    sides = [
        Labels(s.identities, s.cameras, [f"{s.root}/{path}" for path in s.paths])
        for s in (splits["query"], splits["gallery"])
    ]
    truth = match_labels(rules, *sides)
    findings = []
    if truth.invalid:
        first = "; ".join(
            f"{splits['query'].paths[i]}: {reason}" for i, reason in truth.invalid[:SHOWN]
        )
        all_of_them = len(truth.invalid) == len(sides[0])
        findings.append(
            Finding(
                "error" if all_of_them else "warning",
                f"{len(truth.invalid)} of {len(sides[0])} queries have no positive "
                f"under protocol {rules.name}: {first}",
            )
        )
    valid = truth.valid
    if len(valid):
        own = truth.starts[valid + 1] - truth.starts[valid]
        left = truth.n_gallery - len(truth.junk) - (own - truth.n_positives[valid])
        precision, first_rank = random_ranker(truth.n_positives[valid], left)
        findings.append(
            Finding(
                "info",
                f"a random ranker scores mAP {100 * precision.mean():.2f}, "
                f"R1 {100 * first_rank.mean():.2f}",
            )
        )
    return findings


def environment() -> int:
    """Print versions, what is missing for which feature, and versions that do not fit."""
    print(f"python {platform.python_version()} on {platform.platform()}")
    missing = 0
    for title, wanted in (("needed", NEEDED), ("for some features", WANTED)):
        print(f"{title}:")
        for name, use in wanted.items():
            version = _version(name) or (_version(EITHER[name]) if name in EITHER else None)
            label = version or "MISSING"
            missing += version is None and wanted is NEEDED
            print(f"  {name:<24} {label:<14} {use}")
    print(_devices())
    problems = version_problems({name: _version(name) for name in (*NEEDED, *WANTED, "mmcv")})
    for problem in problems:
        print(f"error    {problem}")
    if missing or problems:
        print("to fix: make setup (installs the versions that were tested together)")
        return 1
    print("these versions work together")
    return 0


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> str:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return "device: torch cannot be imported"
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"; torch is built for CUDA {built}, but no device answers" if built else ""
        return f"device: CPU, {torch.get_num_threads()} threads{why}"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"device: {', '.join(names)}; CUDA {torch.version.cuda}"


def version_problems(versions: dict[str, str | None]) -> list[str]:
    """Combinations that are known not to work.

    Args:
        versions: distribution -> installed version or None.

    Example:
        >>> version_problems({"torch": "2.11.0", "torchvision": "0.25.0"})
        ['torchvision 0.25.0 does not belong to torch 2.11.0; torchvision 0.26 does']
    """
    problems = []
    torch, vision = (_numbers(versions.get(name)) for name in ("torch", "torchvision"))
    if torch and vision and torch[0] == 2 and vision[:2] != (0, torch[1] + 15):
        problems.append(
            f"torchvision {versions['torchvision']} does not belong to torch {versions['torch']}; "
            f"torchvision 0.{torch[1] + 15} does"
        )
    if torch and torch < (2, 6):
        problems.append(f"torch {versions['torch']} is too old; 2.6 or newer is needed")
    numpy = _numbers(versions.get("numpy"))
    if numpy and numpy < (2,):
        problems.append(f"numpy {versions['numpy']} is too old; 2.0 or newer is needed")
    if versions.get("mmcv") and versions.get("mmcv-lite"):
        problems.append(
            "mmcv and mmcv-lite are both installed and overwrite each other; remove one"
        )
    return problems


def _numbers(version: str | None) -> tuple[int, ...]:
    if not version:
        return ()
    return tuple(int(part) for part in version.partition("+")[0].split(".")[:3] if part.isdigit())
