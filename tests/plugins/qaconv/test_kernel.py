"""The kernel for CUDA: what it computes, in Triton's interpreter; that it compiles; on a card."""

import os
import subprocess
import sys

import pytest
import torch

from reidkit_plugins.qaconv import kernel
from reidkit_plugins.qaconv.kernel import fused_sums
from reidkit_plugins.qaconv.matching import weighted_sums

INTERPRETED = """
import torch
from reidkit.plugin import load_plugins

load_plugins(["qaconv"])
from reidkit_plugins.qaconv import kernel
from reidkit_plugins.qaconv.matching import weighted_sums

torch.manual_seed(0)
kernel.weighted_sums = None  # the plain way must not stand in
kernel.QUERIES, kernel.GALLERY = 2, 18  # several pieces, the last ones smaller
for size in ((6, 2), (11, 7)):  # one product a pair, two products a pair
    query, gallery = torch.randn(3, 16, *size), torch.randn(19, 16, *size)
    weights = torch.rand(size[0] * size[1]), torch.rand(size[0] * size[1])
    lengths = tuple(side.flatten(2).norm(dim=1).reciprocal() for side in (query, gallery))
    found = kernel.fused_sums(query, gallery, weights, torch.empty(3, 19), lengths)
    plain = weighted_sums(query, gallery, weights, torch.empty(3, 19), lengths)
    torch.testing.assert_close(found, plain, atol=0, rtol=2e-3)
    assert not torch.equal(found, plain), "products were not of float16"
print("agrees")
"""


@pytest.mark.slow
def test_in_the_interpreter_it_agrees_with_the_plain_way():
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "agrees", done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_it_compiles_to_tensor_core_products(capability, tmp_path, monkeypatch):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")  # Triton 3.9 warns where it is not said
    launch = kernel._kernel()
    [jitted] = [
        c.cell_contents for c in launch.__closure__ if hasattr(c.cell_contents, "arg_names")
    ]
    constants = dict(cells=192, channels=128, padded=256, step=kernel.CELLS, images=kernel.IMAGES)
    types = dict(query="*fp16", gallery="*fp16", weight_q="*fp32", weight_g="*fp32", out="*fp32")
    signature = {**types, "n_gallery": "i32", **dict.fromkeys(constants, "constexpr")}
    source = triton.compiler.ASTSource(fn=jitted, signature=signature, constexprs=constants)
    target = GPUTarget("cuda", capability, 32)
    compiled = triton.compile(source, target=target, options=dict(num_warps=8))
    assert "mma" in compiled.asm["ptx"] and compiled.asm["cubin"]
    assert compiled.metadata.shared < 99 * 1024  # what every card of these generations has


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_card_it_agrees_with_the_plain_way():
    torch.manual_seed(0)
    query, gallery = torch.randn(5, 128, 24, 8), torch.randn(37, 128, 24, 8)
    lengths = tuple(side.flatten(2).norm(dim=1).reciprocal() for side in (query, gallery))
    weights = torch.rand(192), torch.rand(192)
    plain = weighted_sums(query, gallery, weights, torch.empty(5, 37), lengths)
    on_card = tuple(w.cuda() for w in weights)
    fused = fused_sums(query, gallery, on_card, torch.empty(5, 37), lengths)
    torch.testing.assert_close(fused, plain, atol=5e-2, rtol=1e-3)
