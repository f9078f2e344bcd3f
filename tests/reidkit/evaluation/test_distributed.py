"""Two processes rank their shares and report what one process does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SCRIPT = """
import json, sys
import numpy as np
import torch
from reidkit.data.split import Trial
from reidkit.engine.devices import start_processes
from reidkit.evaluation import CosineMatcher, Labels, RankingEvaluator, LabelledEmbeddings
from reidkit.structures import Embedding

start_processes("auto", torch.device("cpu"))
rng = np.random.default_rng(0)
people = np.arange(121) % 17
centres = rng.standard_normal((17, 8))
vectors = torch.from_numpy((centres[people] + rng.standard_normal((121, 8))).astype(np.float32))
labels = Labels(people - 1, np.arange(121) % 4)
whole = LabelledEmbeddings(Embedding(vectors[:, None]), labels)
query, gallery = whole[:31], whole[31:]
rerank = dict(rr=dict(type="KReciprocal", k1=8, k2=3))
trials = [Trial(range(20), range(90)), Trial(range(5, 31), range(40, 90))]
found = []
for options, given in [
    (dict(far_targets=(0.01,), fpir_targets=(0.1,), bootstrap=50, camera_pairs=True), ()),
    (dict(rerank=rerank), ()),
    (dict(), trials),
    (dict(protocol="cuhk03-single-shot"), ()),
    (dict(protocol="cuhk03-single-shot", single_shot="sampled"), ()),
]:
    result = RankingEvaluator(**options).evaluate(query, gallery, CosineMatcher(), trials=given)
    content = json.loads(result.to_json())
    content["per_query"] = {n: [str(x) for x in v] for n, v in result.per_query.items()}
    found.append(content)
rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
with open(f"{sys.argv[1]}_{rank}.json", "w") as file:
    json.dump(found, file)
if torch.distributed.is_initialized():
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one(tmp_path):
    script = tmp_path / "evaluate.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    commands = {
        "one": [sys.executable, str(script), str(tmp_path / "one")],
        "two": [*launch, "--master-port", str(port), str(script), str(tmp_path / "two")],
    }
    for command in commands.values():
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    one, first, second = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one_0", "two_0", "two_1")
    )
    assert len(one) == 5 and one[0]["verification"]["n_impostor"] > 0
    assert first == second == one
