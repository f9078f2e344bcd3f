"""Which device, which precision, and processes that know their rank."""

from __future__ import annotations

import os

import torch
import torch.distributed

from reidkit.errors import UserError
from reidkit.utils.processor import check_bf16, has_bf16_units

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def choose_device(name: str = "auto") -> torch.device:
    """The device a setting names, on this process's card when several processes run.

    Args:
        name: "auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<n>".

    Raises:
        UserError: the device does not exist here.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    local = int(os.environ.get("LOCAL_RANK", 0))
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"settings.device={name}: use auto, cpu, cuda or cuda:<n>") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError(f"settings.device={name}: no CUDA device here; use settings.device=cpu")
        device = torch.device("cuda", local if device.index is None else device.index)
        torch.cuda.set_device(device)
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """The precision of training that a setting names; "auto" takes bf16 where the hardware has it.

    On a CPU without bf16 units autocast is about ten times slower than float32, so "auto" asks the
    processor, not the library.

    Args:
        name: "auto", "fp32", "bf16" or "fp16" (fp16 needs CUDA).
        device: where training runs.

    Raises:
        UserError: unknown name, fp16 on a CPU, or bf16 on a CPU that has no units for it.

    Example:
        >>> choose_precision("fp32", torch.device("cpu"))
        'fp32'
    """
    if name not in PRECISIONS:
        raise UserError(f"settings.precision={name}: use one of {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type != "cuda":
        raise UserError("settings.precision=fp16 needs a CUDA device; use auto, bf16 or fp32")
    if name == "bf16" and device.type == "cpu":
        check_bf16("settings.precision=bf16")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if has_bf16_units() else "fp32"


def start_processes(launcher: str, device: torch.device) -> str:
    """Join the process group when started by ``torchrun`` or Slurm, and say which launcher it was.

    Args:
        launcher: "none", "pytorch" (torchrun), "slurm", "mpi", or "auto": torchrun if its
            environment variables are set.
        device: decides between nccl and gloo.

    Returns:
        mmengine's launcher name, "none" for one process.
    """
    from mmengine.dist import init_dist, is_distributed

    if launcher == "auto":
        launcher = "pytorch" if int(os.environ.get("WORLD_SIZE", 1)) > 1 else "none"
    if launcher == "none" or is_distributed():
        return launcher
    if device.type == "cuda":
        init_dist(launcher, backend="nccl")
    elif launcher == "pytorch":  # mmengine would ask for a CUDA device even for gloo
        torch.distributed.init_process_group("gloo")
    else:
        raise UserError(f"--launcher {launcher} needs CUDA; on CPUs start with torchrun")
    return launcher
