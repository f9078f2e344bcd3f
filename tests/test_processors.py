"""The numeric tests once more as on a processor with AVX2 and no more: no last bit may decide.

Which kernel multiplies, and so in which order it adds, is chosen by the processor. What only holds
for the order of one of them fails here on another.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
AVX2 = dict(
    ATEN_CPU_CAPABILITY="avx2",  # torch's own kernels
    ONEDNN_MAX_CPU_ISA="AVX2",  # torch's convolutions and bfloat16 products
    OPENBLAS_CORETYPE="Haswell",  # numpy's products
    MKL_ENABLE_INSTRUCTIONS="AVX2",  # torch's float32 products on Intel
)
NUMERIC = [
    "tests/reidkit/evaluation",
    "tests/reidkit/models/test_losses.py",
    "tests/reidkit/models/test_oim.py",
    "tests/plugins/dgnet/test_losses.py",
    "tests/plugins/drsa/test_losses.py",
    "tests/plugins/eanet/test_losses.py",
    "tests/plugins/eanet/test_matcher.py",
    "tests/plugins/qaconv/test_kernel.py",
    "tests/plugins/qaconv/test_losses.py",
    "tests/plugins/qaconv/test_matcher.py",
    "tests/plugins/qaconv/test_tlift.py",
]
HELD = """
import sys
import numpy, pytest, torch
from threadpoolctl import threadpool_info
from reidkit.utils.processor import has_bf16_units
libraries = [x["architecture"] for x in threadpool_info() if x["internal_api"] == "openblas"]
print("torch", torch.backends.cpu.get_cpu_capability(), "openblas", *libraries, flush=True)
print("bf16 units", has_bf16_units(), flush=True)
with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
    torch.conv2d(torch.rand(8, 64, 56, 56), torch.rand(64, 64, 3, 3))
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64")
    or torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"),
    reason="this processor has no AVX-512: the tests themselves run without it",
)
def test_numbers_hold_without_avx512():
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow and not gpu"]
    run = subprocess.run(
        [sys.executable, "-c", HELD, *options, *NUMERIC],
        cwd=ROOT, env=os.environ | AVX2, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "torch AVX2 openblas Haswell\nbf16 units False\n" in run.stdout
    convolution = next(line for line in run.stdout.splitlines() if ",convolution," in line)
    assert "avx2" in convolution and "avx512" not in convolution
