"""``reidkit export``: a model as a file that other programs run."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser, take_weights

EXAMPLES = """examples:
  python tools/export.py runs/eanet-pcb-synthped-quick-s0 --to onnx --test
  python tools/export.py RUN --to openvino --int8 --test
  python tools/export.py osnet_x0_25 weights=osnet_x0_25_msmt17.pth --to onnx --size input
for trackers: docs/export.md"""


def main(argv: list[str]) -> int:
    """Open the model, write, verify, say what was measured."""
    about = "Export a model, and measure the file against it."
    command = parser("reidkit export", about, EXAMPLES)
    command.add_argument("model", help="run folder, saved model or network")
    command.add_argument("--to", default="onnx", help="onnx | torch_export | openvino")
    bits = command.add_mutually_exclusive_group()
    bits.add_argument("--fp16", action="store_true", help="16 bits inside")
    bits.add_argument("--int8", action="store_true", help="8 bits, ranges from the test's crops")
    command.add_argument(
        "--input", default="float", help="float (RGB 0..1) | uint8 | imagenet (normalised)"
    )
    command.add_argument(
        "--size", default="any", choices=["any", "input"], help="of images: any, or the network's"
    )
    command.add_argument("--out", type=Path, help="folder to write (default: below exports/)")
    command.add_argument("--test", action="store_true", help="compare mAP on the run's own test")
    args, given = parse_with_overrides(command, argv)
    overrides, weights = take_weights(given)
    from reidkit.engine.ready import open_model
    from reidkit.export.export import Options, default_folder, export_model

    chosen = "fp16" if args.fp16 else "int8" if args.int8 else "fp32"
    options = Options(args.to, chosen, args.input, args.size == "any", args.test)
    run = open_model(args.model, ["settings.device=cpu", *overrides], weights)
    folder = args.out or default_folder(run, options)
    export_model(run, folder, options)
    print(f"wrote   {folder}")
    return 0
