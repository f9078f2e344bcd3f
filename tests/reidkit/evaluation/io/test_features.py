"""Features of anybody: joined by name, people kept apart, values that can be."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reidkit.data.tables.columns import ALIASES
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, EuclideanMatcher, RankingEvaluator
from reidkit.evaluation.io.features import read_features

COUNT = 24
PEOPLE = np.arange(COUNT) % 6 + 1
CAMERAS = np.arange(COUNT) // 6 % 2
SPLIT = np.where(np.arange(COUNT) < 12, "query", "gallery")
SPLIT[:3] = "both"
FILES = np.array([f"{person}/img_{i}.jpg" for i, person in enumerate(PEOPLE)])


def vectors(dtype=np.float32) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((7, 5))
    return (centres[PEOPLE] + 1.5 * rng.standard_normal((COUNT, 5))).astype(dtype)


def table(**changes) -> dict:
    columns = dict(identity=PEOPLE, camera=CAMERAS, split=SPLIT, file=FILES)
    return {name: values for name, values in {**columns, **changes}.items() if values is not None}


def write(folder, name="labels.csv", rows=slice(None), **changes):
    columns = {key: np.asarray(values)[rows] for key, values in table(**changes).items()}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    (folder / name).write_text("\n".join([",".join(columns), *lines]) + "\n")
    return folder / name


def save(folder, features=None, rows=slice(None), **arrays):
    features = vectors() if features is None else features
    path = folder / "features.npz"
    np.savez(path, features=features[rows], **{k: np.asarray(v)[rows] for k, v in arrays.items()})
    return path


def scores(test, matcher=None, **options):
    sides = test.sides["query"], test.sides["gallery"]
    matcher = test.meta.get("precomputed") or matcher or CosineMatcher()
    return RankingEvaluator(**options).evaluate(*sides, matcher)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wanted")
    return scores(read_features(save(folder), write(folder))).metrics


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(left=st.permutations(range(COUNT)), right=st.permutations(range(COUNT)))
def test_shuffling_the_rows_of_either_side_changes_nothing(tmp_path, wanted, left, right):
    test = read_features(
        save(tmp_path, rows=left, paths=FILES), write(tmp_path, rows=np.array(right))
    )
    assert scores(test).metrics == pytest.approx(wanted, abs=1e-12)
    assert "matched with" in test.meta["notes"][0]


def test_by_order_without_names_and_said(tmp_path, wanted):
    test = read_features(save(tmp_path), write(tmp_path))
    assert scores(test).metrics == wanted
    assert test.meta["notes"] == [
        f"{tmp_path / 'labels.csv'}: rows are taken in the order of {tmp_path / 'features.npz'}, "
        "which has no file names"
    ]


def test_an_npy_with_a_table_beside(tmp_path, wanted):
    np.save(tmp_path / "f.npy", vectors())
    assert scores(read_features(tmp_path / "f.npy", write(tmp_path))).metrics == wanted


@pytest.mark.parametrize(
    "names",
    [
        [f"{person}_{11 - person}" for person in PEOPLE],  # int() reads 1_10 as 110
        [f"{person}{11 - person}_" for person in PEOPLE],
        PEOPLE - 1,
        [f"{person:05d}" for person in PEOPLE],
        [10**20 + int(person) for person in PEOPLE],
        [f"{person}.0" for person in PEOPLE],
        [f"person {person}" for person in PEOPLE],
    ],
)
def test_people_may_be_called_anything(tmp_path, wanted, names):
    test = read_features(save(tmp_path), write(tmp_path, identity=[str(name) for name in names]))
    result = scores(test)
    assert result.metrics == wanted and result.n_valid == result.n_query
    called = result.per_query["identity"].astype(str).tolist()
    plain = [str(int(n)) if str(n).isdigit() and int(n) else str(n) for n in names]
    assert called == [
        p.removesuffix(".0") for p, s in zip(plain, SPLIT, strict=True) if s != "gallery"
    ]


def test_marks_are_what_the_user_says(tmp_path):
    people = np.where(np.arange(COUNT) == 13, -1, np.where(np.arange(COUNT) == 14, 0, PEOPLE))
    path = save(tmp_path)
    labels = write(tmp_path, identity=people)
    with pytest.raises(UserError, match=r"-1 \(row 14\) is negative.*--junk -1 \(left out"):
        read_features(path, labels)
    test = read_features(path, labels, junk="-1", distractor="0")
    assert (test.sides["gallery"].labels.identities <= 0).sum() == 2
    assert scores(test).n_junk == 1
    person = read_features(path, labels, junk="-1")
    assert (person.sides["gallery"].labels.identities <= 0).sum() == 1
    assert "identity 0 is one like any other, so 7 identities are" in person.meta["notes"][1]


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(pid=PEOPLE), "columns 'identity' and 'pid' both mean identity"),
        (dict(visibility_of=PEOPLE, cam=CAMERAS), "columns 'camera' and 'cam' both mean camera"),
        (dict(identity=[""] * COUNT), "column 'identity': row 1 has none"),
        (dict(identity=[f"{p}.5" for p in PEOPLE]), "row 1: '1.5' is no whole number"),
        (
            dict(identity=[f"{2**53 + int(p)}.0" for p in PEOPLE]),
            "so large that neighbours share it",
        ),
        (dict(identity=[f"1.234{p}E+11" for p in PEOPLE]), "leaves out the last digits"),
        (dict(camera=CAMERAS - 1), "row 1 has -1; cameras are numbered from 0"),
        (dict(time=["noon"] * COUNT), "column 'time' must hold numbers; row 1 has 'noon'"),
        (dict(split=["validation"] * COUNT), "row 1 has 'validation'; use one of query"),
        (dict(split=["both"] * 3 + ["train"] * (COUNT - 3), camera=None), "no column 'camera'"),
    ],
)
def test_labels_that_cannot_be_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError) as caught:
        read_features(save(tmp_path), write(tmp_path, **changes))
    assert message in str(caught.value)


def spoilt(row, value, dtype=np.float32):
    features = vectors(dtype)
    features[row, 2] = value
    return features


@pytest.mark.parametrize(
    "features, message",
    [
        (spoilt(3, np.nan), "1 of 24 rows hold NaN; the model or the program that wrote them"),
        (spoilt(3, np.inf, np.float16), "float16 ends at 6.55e+04: save them as a wider float"),
        (spoilt(3, 1e300, np.float64), "values up to 1.0e+300, and float32 ends at 3.4e38"),
        (vectors(np.float64) * 1e-300, "too small for float32; multiply all features by one"),
        ((vectors() * 50).astype(np.int8), "quantised features: multiply them by the scale"),
        (vectors().astype(complex), "got complex128"),
        (vectors()[:, None, None], "(images, parts, dims), got float32 (24, 1, 1, 5)"),
        (vectors()[:, :0], "got float32 (24, 0)"),
        (vectors()[:, 0], "got float32 (24,)"),
    ],
)
def test_features_that_cannot_be_are_refused_with_the_cause(tmp_path, features, message):
    with pytest.raises(UserError) as caught:
        read_features(save(tmp_path, features), write(tmp_path))
    assert message in str(caught.value) and "diverged" not in str(caught.value)


@pytest.mark.parametrize("matcher", [CosineMatcher(), EuclideanMatcher()])
@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_vectors_that_float32_cannot_multiply_are_refused(tmp_path, scale, matcher):
    test = read_features(save(tmp_path, vectors() * np.float32(scale)), write(tmp_path))
    with pytest.raises(UserError, match="that float32 cannot multiply them; first: 1/img_0.jpg"):
        scores(test, matcher)


@pytest.mark.parametrize("scale", [1e15, 1e-9])
def test_scales_that_float32_can_multiply_are_right(tmp_path, wanted, scale):
    test = read_features(save(tmp_path, vectors() * np.float32(scale)), write(tmp_path))
    assert scores(test).metrics == pytest.approx(wanted, abs=1e-9)


def test_zero_vectors_are_said(tmp_path):
    features = vectors()
    features[13] = 0
    result = scores(read_features(save(tmp_path, features), write(tmp_path)))
    assert "1 of 15 gallery embeddings are zero (first: 2/img_13.jpg)" in result.report()


@pytest.mark.parametrize(
    "seen, message",
    [
        (np.full((COUNT, 1), -1.0), "from 0 (hidden) to 1 (visible); row 1 has [-1.0]"),
        (np.full((COUNT, 1), 2.0), "row 1 has [2.0]"),
        (np.full((COUNT, 1), np.nan), "row 1 has [nan]"),
        (np.ones((COUNT, 2)), "(images, parts) = (24, 1), got (24, 2)"),
        (np.full((COUNT, 1), "yes"), "must be numbers (images, parts), got <U3"),
    ],
)
def test_visibility_that_cannot_be_is_refused(tmp_path, seen, message):
    with pytest.raises(UserError) as caught:
        read_features(save(tmp_path, visibility=seen), write(tmp_path))
    assert message in str(caught.value)
    assert read_features(save(tmp_path, visibility=np.ones((COUNT, 1), bool)), write(tmp_path))


APART = np.where(np.arange(COUNT) < 12, "query", "gallery")  # no image on both sides


def distances(folder, **changes):
    sides = read_features(save(folder), write(folder, split=APART)).sides
    left, right, between = sides["query"].embedding, sides["gallery"].embedding, CosineMatcher()
    arrays = dict(
        distances=between(left, right).numpy(),
        query_query=between(left, left).numpy(),
        gallery_gallery=between(right, right).numpy(),
        query_pids=PEOPLE[:12], query_camids=CAMERAS[:12],
        gallery_pids=PEOPLE[12:], gallery_camids=CAMERAS[12:],
    )  # fmt: skip
    arrays = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(folder / "distances.npz", **arrays)
    return folder / "distances.npz"


RERANK = dict(rr=dict(type="KReciprocal", k1=4, k2=2))


def test_distances_are_ranked_and_re_ranked_with_those_that_it_needs(tmp_path):
    test = read_features(distances(tmp_path))
    features = read_features(save(tmp_path), write(tmp_path, split=APART))
    assert scores(test).metrics == pytest.approx(scores(features).metrics)
    again = scores(features, rerank=RERANK).metrics
    assert scores(test, rerank=RERANK).metrics == pytest.approx(again, abs=1e-5)
    alone = read_features(distances(tmp_path, query_query=None, gallery_gallery=None))
    for name in ("KReciprocal", "DatabaseAugmentation", "QueryExpansion"):
        with pytest.raises(UserError):
            scores(alone, rerank=dict(rr=dict(type=name)))


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(gallery_gallery=None), "need query_query (12, 12) and gallery_gallery (12, 12), or"),
        (dict(distances=np.full((12, 12), np.nan)), "12 of 12 rows hold NaN"),
        (dict(distances=np.full((12, 12), 1e300)), "float32 ends at 3.4e38"),
        (dict(distances=np.zeros((12, 14))), "need query_query (12, 12) and gallery_gallery (14"),
        (dict(distances=np.zeros((12, 0))), "must be a table of numbers (queries, gallery)"),
        (dict(query_pids=PEOPLE[:5]), "column 'query_pids' has 5 rows for 12 images"),
        (dict(query_pids=np.array(7)), "column 'query_pids' must be one text per image"),
        (dict(gallery_pids=None), "no column 'identity' for gallery"),
        (dict(gallery_pids=np.full(12, -1)), "-1 (row 1 of gallery) is negative"),
        (dict(query_distances=np.zeros((12, 12))), "'query_query' and 'query_distances' both mean"),
    ],
)
def test_tables_of_distances_that_cannot_be(tmp_path, changes, message):
    with pytest.raises(UserError) as caught:
        read_features(distances(tmp_path, **changes))
    assert message in str(caught.value)


def test_two_lists_bring_their_labels_and_people_of_both_are_numbered_together(tmp_path, wanted):
    query, gallery = SPLIT != "gallery", SPLIT != "query"
    names = np.array([f"p{person}" for person in PEOPLE])
    own = {}
    for side, rows in (("query", query), ("gallery", gallery)):
        for name, values in (("features", vectors()), ("pids", names), ("camids", CAMERAS)):
            own[f"{side}_{name}"] = values[rows]
    np.savez(tmp_path / "two.npz", **own)
    assert scores(read_features(tmp_path / "two.npz")).metrics == wanted
    with pytest.raises(UserError, match="has lists of its own for query and gallery"):
        read_features(tmp_path / "two.npz", write(tmp_path))


def test_tables_of_open_metric_learning(tmp_path, wanted):
    roles = dict(
        split=["validation"] * COUNT, is_query=SPLIT != "gallery", is_gallery=SPLIT != "query",
        identity=None, label=PEOPLE, file=None, path=FILES,
    )  # fmt: skip
    test = read_features(save(tmp_path, paths=FILES), write(tmp_path, **roles))
    assert scores(test).metrics == wanted


def test_parquet_is_held_to_the_same(tmp_path, wanted):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    columns = {name: arrow.array(values.tolist()) for name, values in table().items()}
    columns["features"] = arrow.array(vectors().tolist())
    pyarrow.parquet.write_table(arrow.table(columns), tmp_path / "f.parquet")
    assert scores(read_features(tmp_path / "f.parquet")).metrics == wanted
    for features, message in (
        ([[1.0]] * (COUNT - 1) + [[1.0, 2.0]], "must be numbers"),
        ([[None, 1.0]] * COUNT, "hold NaN"),
        ([["a", "b"]] * COUNT, "must be numbers"),
    ):
        columns["features"] = arrow.array(features)
        pyarrow.parquet.write_table(arrow.table(columns), tmp_path / "f.parquet")
        with pytest.raises(UserError, match=message):
            read_features(tmp_path / "f.parquet")


def test_names_of_files_that_are_all_the_same_are_said_under_single_camera(tmp_path):
    test = read_features(save(tmp_path), write(tmp_path, file=["img.jpg"] * COUNT))
    with pytest.raises(UserError, match="all 3 gallery images of identity . have the query's name"):
        scores(test, protocol="single-camera")
    nameless = read_features(save(tmp_path), write(tmp_path, file=None))
    with pytest.raises(UserError, match="needs file names on both sides.*column `file`"):
        scores(nameless, protocol="single-camera")
    assert torch.isfinite(nameless.sides["query"].embedding.vectors).all()


def test_a_test_without_impostors_says_so(tmp_path):
    keep = (PEOPLE == 1).nonzero()[0]
    test = read_features(save(tmp_path, rows=keep), write(tmp_path, rows=keep))
    result = scores(test, far_targets=(1e-3,), fpir_targets=(0.1,))
    assert result.verification["eer"] is None
    assert result.verification["tar_at_far"][0]["tar"] is None
    assert "0 impostor pairs: both are needed for EER, TAR and FNIR" in result.report()
    assert "3.4e" not in result.to_json() and "NaN" not in result.to_json()


def test_few_impostors_say_so(tmp_path):
    result = scores(read_features(save(tmp_path), write(tmp_path)), far_targets=(1e-4, 1.0))
    few, every = [line for line in result.report().splitlines() if "TAR" in line]
    assert "FAR reached: 0, pairs are too few or tied" in few
    assert "TAR 100.00 at FAR 1 (any distance)" in every


def test_every_name_of_the_file_column_that_numpy_can_write(tmp_path):
    names = {*ALIASES["file"], "paths"} - {"file"}
    for name in sorted(names):
        np.savez(tmp_path / "f.npz", features=vectors(), **{name: FILES})
        test = read_features(tmp_path / "f.npz", write(tmp_path, file=None))
        assert test.sides["query"].labels.paths == FILES[SPLIT != "gallery"].tolist(), name
    with pytest.raises(TypeError):  # the name of its own argument, as the documentation says
        np.savez(tmp_path / "f.npz", features=vectors(), file=FILES)


def test_the_type_that_numbers_are_stored_in_changes_nothing(tmp_path):
    """Numbers that every float holds exactly, and whole distances beyond float16."""
    short = vectors().astype(np.float16)
    kinds = [short, short.astype(np.float32), short.astype(np.float64), short.astype(">f4")]
    found = [scores(read_features(save(tmp_path, one), write(tmp_path))).metrics for one in kinds]
    assert found[0] == found[1] == found[2] == found[3]
    whole = np.random.default_rng(0).permutation(144).reshape(12, 12) + 2**20
    kinds = [whole.astype(kind) for kind in (np.int32, np.int64, np.float32, np.float64)]
    found = [scores(read_features(distances(tmp_path, distances=one))).metrics for one in kinds]
    assert found[0] == found[1] == found[2] == found[3]
