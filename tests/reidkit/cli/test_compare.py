"""Two runs compared query by query: the same queries, or a refusal in words."""

import numpy as np
import pytest
import torch

from reidkit.cli.main import main
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.evaluation.compare import compare_tables
from reidkit.evaluation.io.queries import read_queries, write_queries
from reidkit.structures import Embedding


def side(count=60, seed=0, noise=1.0) -> LabelledEmbeddings:
    rng = np.random.default_rng(seed)
    people = np.arange(count) % 12 + 1
    centres = np.random.default_rng(9).standard_normal((13, 8))
    vectors = centres[people] + noise * rng.standard_normal((count, 8))
    labels = Labels(people, np.arange(count) // 12 % 3, [f"{i:03d}.jpg" for i in range(count)])
    return LabelledEmbeddings(
        Embedding(torch.from_numpy(vectors.astype(np.float32))[:, None]), labels
    )


def tables(tmp_path, **noises):
    for name, noise in noises.items():
        whole = side(noise=noise, seed=1)
        result = RankingEvaluator().evaluate(whole[:20], whole[20:], CosineMatcher())
        folder = tmp_path / name
        folder.mkdir()
        write_queries(folder / "queries_target.csv", result.per_query)
        yield folder, result


def test_runs_are_compared_query_by_query(tmp_path, capsys):
    (a, first), (b, second) = tables(tmp_path, a=1.5, b=0.3)
    assert main(["compare", str(a), str(b), "--resamples", "500"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("target") and " mAP" in out
    found = compare_tables(a / "queries_target.csv", b / "queries_target.csv", 500)
    assert found["mAP"][:2] == pytest.approx((first.metrics["mAP"], second.metrics["mAP"]))
    assert found["R1"][2].difference == pytest.approx(second.metrics["R1"] - first.metrics["R1"])
    assert found["mAP"][2].p < 0.05
    turned = (b / "queries_target.csv").read_text().splitlines()
    (b / "queries_target.csv").write_text("\n".join([turned[0], *turned[:0:-1]]))
    again = compare_tables(a / "queries_target.csv", b / "queries_target.csv", 500)
    assert {n: v[:2] for n, v in again.items()} == {n: v[:2] for n, v in found.items()}


def test_other_queries_are_not_compared(tmp_path, capsys):
    (a, _), (b, _) = tables(tmp_path, a=1.5, b=0.3)
    lines = (b / "queries_target.csv").read_text().splitlines()
    (b / "queries_target.csv").write_text("\n".join(lines[:-1]))
    assert main(["compare", str(a), str(b)]) == 2
    assert "1 only in the first, 0 only in the second (such as 019.jpg)" in capsys.readouterr().err
    (b / "queries_target.csv").rename(b / "queries_source.csv")
    assert main(["compare", str(a), str(b)]) == 2
    assert "no common test" in capsys.readouterr().err
    assert main(["compare", str(a), str(tmp_path)]) == 2
    assert "no per-query tables (queries_*.csv)" in capsys.readouterr().err


HEAD = "query,file,identity,camera,AP,first_rank,n_positives"


@pytest.mark.parametrize(
    "rows, message",
    [
        (["0,a.jpg,1,1,0.5,2,1", "0,a.jpg,1,1,0.5,2,1"], "query 0 (a.jpg) of trial 0 is there tw"),
        (["0,a.jpg,1,1,1.5,2,1"], "column 'AP' must be from 0 to 1; row 1 has 1.5"),
        (["0,a.jpg,1,1,0.5,0,1"], "column 'first_rank' must be from 1 to inf; row 1 has 0"),
        (["0,a.jpg,1,1,,2,1"], "column 'AP' is empty in row 1, a valid query"),
        (["0,a.jpg,1,1,high,2,1"], "column 'AP' must hold numbers; row 1 has 'high'"),
        (["1_0,a.jpg,1,1,0.5,2,1"], "column 'query' must hold whole numbers; row 1: '1_0'"),
        (["0,a.jpg,1,1,,,0"], "no metric on queries that are valid in both"),
        (["0,a.jpg,1,1"], "4 cells, but the head has 7"),
        ([], "holds no rows"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path, capsys, rows, message):
    (tmp_path / "q.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    assert main(["compare", str(tmp_path / "q.csv"), str(tmp_path / "q.csv")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--resamples", "0"], ["--resamples", "10000000000"]])
def test_resamples_that_cannot_be_are_refused(tmp_path, capsys, option):
    assert main(["compare", str(tmp_path), str(tmp_path), *option]) == 2
    assert "--resamples must be from 1 to 1,000,000" in capsys.readouterr().err


def test_files_whose_names_are_numbers_stay_names(tmp_path):
    text = "\n".join([HEAD, "0,001,1,1,0.5,2,1", "1,002,1,1,0.5,2,1"]) + "\n"
    (tmp_path / "q.csv").write_text(text)
    assert read_queries(tmp_path / "q.csv")["file"].tolist() == ["001", "002"]
    with pytest.raises(UserError, match="no such file"):
        compare_tables(tmp_path / "q.csv", tmp_path / "none.csv")
