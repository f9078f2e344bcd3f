"""Features from anywhere, scored without a model; stores; comparing; refusals people meet."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.cli.main import main
from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.evaluation.io.features import read_features
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.io.store import TestSet, read_store, write_store
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


@pytest.fixture
def files(tmp_path, monkeypatch):
    """features.npz and labels.csv, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    whole = side()
    np.savez("features.npz", features=whole.embedding.vectors[:, 0].numpy())
    split = ["query" if i < 20 else "gallery" for i in range(60)]
    rows = zip(
        split, whole.labels.identities, whole.labels.cameras, whole.labels.paths, strict=True
    )
    text = "split,pid,camid,file\n" + "\n".join(",".join(map(str, row)) for row in rows)
    (tmp_path / "labels.csv").write_text(text + "\n")
    return whole


def run(*arguments, capsys):
    status = main(["evaluate", *arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_features_and_labels_give_the_evaluators_numbers(files, capsys):
    status, out, err = run(
        "features.npz", "labels.csv", "--protocol", "market", "--out", "result.json",
        "--queries", "queries.csv", "evaluation.far_targets=(0.01,)", capsys=capsys,
    )  # fmt: skip
    assert status == 0, err
    wanted = RankingEvaluator(far_targets=(0.01,)).evaluate(files[:20], files[20:], CosineMatcher())
    content = json.loads(Path("result.json").read_text())
    assert content["metrics"] == wanted.metrics
    assert content["verification"] == wanted.verification
    note = "note: labels.csv: rows are taken in the order of features.npz, which has no file names"
    assert out == f"{note}\nfeatures.npz: {wanted.report()}\n"
    table = read_queries("queries.csv")
    assert table["file"].tolist() == files.labels.paths[:20]
    np.testing.assert_array_equal(table["AP"], wanted.per_query["AP"])


def test_the_keys_of_a_config_work_here_too(files, capsys):
    arguments = ["features.npz", "labels.csv", "--out", "result.json"]
    keys = ["+evaluation.rerank.rr=KReciprocal", "evaluation.rerank.rr.k1=5"]
    status, out, err = run(*arguments, *keys, "model.matcher=EuclideanMatcher", capsys=capsys)
    assert status == 0 and "EuclideanMatcher -> KReciprocal(k1=5)" in out, err
    status, out, _ = run(*arguments, "--rerank", "QueryExpansion", capsys=capsys)
    assert status == 0 and "CosineMatcher -> QueryExpansion" in out
    status, _, err = run(*arguments, "evaluation.fra=(0.1,)", "--protocol", "mars", capsys=capsys)
    assert status == 2 and "RankingEvaluator has no option 'fra'" in err and "'mars'" in err


def test_two_sides_and_distances_in_one_file(files, capsys, tmp_path):
    named = {
        f"{name}_{key}": value
        for name, part in (("query", files[:20]), ("gallery", files[20:]))
        for key, value in (
            ("features", part.embedding.vectors[:, 0].numpy()),
            ("pids", part.labels.identities),
            ("camids", part.labels.cameras),
        )
    }
    np.savez("two.npz", **named)
    wanted = RankingEvaluator().evaluate(files[:20], files[20:], CosineMatcher()).metrics
    test = read_features("two.npz")
    found = RankingEvaluator().evaluate(test.sides["query"], test.sides["gallery"], CosineMatcher())
    assert found.metrics == wanted
    table = CosineMatcher()(files[:20].embedding, files[20:].embedding).numpy()
    labels = {name: values for name, values in named.items() if "features" not in name}
    np.savez("distances.npz", distances=table, **labels)
    status, _, err = run("distances.npz", "--out", "d.json", capsys=capsys)
    assert status == 0, err
    assert json.loads(Path("d.json").read_text())["metrics"] == pytest.approx(wanted)


def test_parquet_features(files, capsys):
    import pyarrow as arrow
    import pyarrow.parquet

    labels = read_queries("labels.csv")
    columns = {name: arrow.array(values.tolist()) for name, values in labels.items()}
    columns["features"] = arrow.array(files.embedding.vectors[:, 0].tolist())
    pyarrow.parquet.write_table(arrow.table(columns), "features.parquet")
    assert run("features.parquet", "--out", "p.json", capsys=capsys)[0] == 0
    assert run("features.npz", "labels.csv", "--out", "n.json", capsys=capsys)[0] == 0
    numbers = [json.loads(Path(name).read_text())["metrics"] for name in ("p.json", "n.json")]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(split=None), "no column 'split' that says which images are query and which gallery"),
        (dict(camid=None), "no column 'camera' for the images (one camera: a column of zeros and"),
        (dict(split=["gallery"] * 60), "the query is empty, no row has split 'query' or 'both'"),
        (dict(split=["test"] * 60), "column 'split': row 1 has 'test'; use one of query, gallery"),
        (dict(split=["query"] * 59), "column 'split' has 59 rows for 60 images"),
        (
            dict(split=[["query"]] * 60),
            "column 'split' must be one text per image, got <U5 (60, 1)",
        ),
        (dict(pid=list(range(59))), "column 'pid' has 59 rows for 60 images"),
        (dict(camid=["c1"] * 60), "column 'camid' must hold whole numbers; row 1: 'c1' is no"),
        (dict(pid=[1.0, 2.5] * 30), "column 'pid': row 2: 2.5 is no whole number"),
        (dict(pid=[[1]] * 60), "column 'pid' must be one text per image, got int64 (60, 1)"),
    ],
)
def test_missing_and_odd_labels_are_refused(files, change, message):
    labels = {name: values.tolist() for name, values in read_queries("labels.csv").items()}
    labels["path"] = labels.pop("file")
    labels = {k: v for k, v in {**labels, **change}.items() if v is not None}
    features = files.embedding.vectors[:, 0].numpy()
    np.savez("labelled.npz", features=features, **{k: np.array(v) for k, v in labels.items()})
    with pytest.raises(UserError) as caught:
        read_features("labelled.npz")
    assert message in str(caught.value)


def test_labels_beside_are_named_and_may_be_floats(files):
    text = Path("labels.csv").read_text()
    wanted = read_features("features.npz", "labels.csv").sides["gallery"].labels
    head, *rows = text.splitlines()
    at = head.split(",").index("camid")
    floats = [",".join([*c[:at], c[at] + ".0", *c[at + 1 :]]) for c in (r.split(",") for r in rows)]
    Path("floats.csv").write_text("\n".join([head, *floats]))
    found = read_features("features.npz", "floats.csv").sides["gallery"].labels
    np.testing.assert_array_equal(found.cameras, wanted.cameras)
    Path("short.csv").write_text("\n".join([head, *rows[:-1]]))
    with pytest.raises(UserError, match="short.csv: column 'split' has 59 rows for 60 images"):
        read_features("features.npz", "short.csv")


def test_other_files_are_refused(files, tmp_path):
    np.savez("empty.npz", nothing=np.zeros(3))
    np.savez("whole.npz", features=np.zeros((3, 4), int))
    np.savez("objects.npz", features=np.array([None, 1]))
    for name, message in [
        ("absent.npz", "no such file or feature store"),
        (
            "labels.csv",
            "features are read from .npz, .npy, .parquet, a feature store or an extraction",
        ),
        ("empty.npz", "no array 'features' for the images; it has: nothing"),
        ("whole.npz", "whole numbers are quantised features: multiply them by the scale"),
        ("objects.npz", "texts as fixed-width strings"),
        (".", "no feature store, it has no meta.json"),
    ]:
        with pytest.raises(UserError) as caught:
            read_features(name)
        assert message in str(caught.value)


def test_one_camera_is_refused_with_the_flag_that_helps(files, capsys):
    text = Path("labels.csv").read_text().replace(",1,", ",0,").replace(",2,", ",0,")
    rows = [line.split(",") for line in text.splitlines()]
    lines = [",".join([*row[:2], row[2] if i == 0 else "0", row[3]]) for i, row in enumerate(rows)]
    Path("labels.csv").write_text("\n".join(lines))
    status, _, err = run("features.npz", "labels.csv", capsys=capsys)
    assert status == 2 and "all 60 images have camera 0" in err and "single-camera" in err
    assert run(
        "features.npz", "labels.csv", "--protocol", "single-camera", capsys=capsys
    )[0] == 0  # fmt: skip


def test_a_store_gives_the_same_numbers_and_is_mapped(files, tmp_path, capsys):
    visible = Embedding(files.embedding.vectors, torch.ones(60, 1))
    sides = {
        "query": LabelledEmbeddings(visible, files.labels)[:20],
        "gallery": LabelledEmbeddings(visible, files.labels, "gallery")[20:],
    }
    trials = [Trial([0, 1, 2, 3], range(40), "first"), Trial(range(4, 20), range(40))]
    test = TestSet(sides, "cuhk03-np", trials, dict(dataset="toy", matcher="eanet/Visibility"))
    write_store(tmp_path / "store", test)
    again = read_store(tmp_path / "store")
    assert again.protocol == "cuhk03-np" and [t.name for t in again.trials] == ["first", ""]
    assert again.sides["query"].labels.paths == files.labels.paths[:20]
    assert str(tmp_path / "store/gallery/vectors.npy") in Path("/proc/self/maps").read_text()
    wanted = RankingEvaluator().evaluate(
        *sides.values(), CosineMatcher(), protocol="cuhk03-np", trials=trials
    )
    status, out, err = run("store", "--out", "store.json", capsys=capsys)
    assert status == 0, err
    content = json.loads(Path("store.json").read_text())
    assert content["metrics"] == wanted.metrics and content["n_trials"] == 2
    assert "note: the model of store compares with eanet/Visibility" in out
    with pytest.raises(UserError, match="choose another folder for the features"):
        write_store(tmp_path / "store", test)
    (tmp_path / "store" / "query" / "cameras.npy").unlink()
    with pytest.raises(UserError, match="damaged"):
        read_store(tmp_path / "store")


@pytest.mark.parametrize("option, name", [("--out", "r.json"), ("--queries", "q.csv")])
def test_places_are_tried_before_the_work(files, capsys, monkeypatch, option, name):
    monkeypatch.setattr(RankingEvaluator, "evaluate", lambda *_, **__: pytest.fail("worked"))
    arguments = ["features.npz", "labels.csv"]
    Path(name).mkdir()
    Path("note").write_text("a file, no folder")
    for place, message in [
        (name, "is a folder; give a file's name"),
        (f"note/{name}", "cannot be written"),
        ("labels.csv", "is what is read; choose another file"),
    ]:
        status, out, err = run(*arguments, option, place, capsys=capsys)
        assert status == 2 and message in err and "points" not in out, err
    if option == "--queries":
        status, _, err = run(*arguments, option, "q.txt", capsys=capsys)
        assert status == 2 and "per-query tables are written as .csv or .parquet" in err
        both = ["--queries", "one.csv", "--out", "one.csv"]
        status, _, err = run(*arguments, *both, capsys=capsys)
        assert status == 2 and "--out and --queries need a file each" in err
    assert not list(Path().glob(".*")), "nothing is left of the trial"


def test_the_table_is_printed_before_anything_is_written(files, capsys, monkeypatch):
    def full(*_):
        raise UserError("the disk is full")

    monkeypatch.setattr("reidkit.evaluation.io.queries.write_queries", full)
    status, out, err = run("features.npz", "labels.csv", "--queries", "q.csv", capsys=capsys)
    assert status == 2 and "points" in out and "the disk is full" in err


def test_file_names_that_are_no_utf8_survive_in_the_table(files, capsys):
    names = [f"c1_{i}\udce9.jpg" for i in range(60)]
    labels = read_features("features.npz", "labels.csv").sides
    rows = {
        name: np.concatenate([getattr(labels[s].labels, name) for s in labels])
        for name in ("identities", "cameras")
    }
    np.savez(
        "named.npz", features=files.embedding.vectors[:, 0].numpy(), paths=np.array(names),
        pids=rows["identities"], camids=rows["cameras"],
        split=np.array(["query"] * 20 + ["gallery"] * 40),
    )  # fmt: skip
    assert run("named.npz", "--queries", "q.csv", capsys=capsys)[0] == 0
    assert b"c1_3\xe9.jpg" in Path("q.csv").read_bytes()
    assert read_queries("q.csv")["file"].tolist() == names[:20]
    assert main(["compare", "q.csv", "q.csv", "--resamples", "10"]) == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["evaluation.bootstrap=100000000000"], "bootstrap must be from 0 to 1,000,000"),
        (["~model.matcher"], "model.matcher is missing"),
        (["model.matcher=PrecomputedMatcher"], "PrecomputedMatcher"),
        (["evaluation.seed=-1"], "seed must not be below 0"),
        (["--junk", "7", "--distractor", "7"], "--junk and --distractor are both 7"),
        (["evaluation.block_mb=1e400"], "block_mb must be above 0 megabytes"),
    ],
)
def test_options_that_cannot_be_end_in_words(files, capsys, arguments, message):
    status, _, err = run("features.npz", "labels.csv", *arguments, capsys=capsys)
    assert status == 2 and message in err


def test_marks_and_names_of_people_on_the_command_line(files, capsys):
    text = Path("labels.csv").read_text().replace("query,1,", "query,anna,")
    Path("named.csv").write_text(text.replace("gallery,1,", "gallery,anna,"))
    status, out, err = run("features.npz", "named.csv", "--queries", "q.csv", capsys=capsys)
    assert status == 0, err
    assert "note: named.csv: column 'pid': identities are names such as 'anna'" in out
    assert read_queries("q.csv")["identity"][0] == "anna"
    status, out, _ = run("features.npz", "labels.csv", "--junk", "-1", capsys=capsys)
    assert status == 0 and "no image has --junk -1" in out
