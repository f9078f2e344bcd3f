"""Cluster and fine-tune: radius, clusters, what is loaded and what trains."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from reidkit.config import check_config, load_config, render
from reidkit.data.split import Split
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.domains import Domains
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.structures import Embedding
from reidkit_plugins.eanet import cft
from reidkit_plugins.eanet.matcher import VisibilityMatcher


def slow_eps(distances, share):
    upper = sorted(d for d in distances[np.triu_indices(len(distances), 1)] if d != 0)
    return np.mean(upper[: max(1, round(share * len(upper)))])


@pytest.mark.parametrize(("size", "share"), [(60, 8e-4), (60, 0.01), (5, 8e-4)])
def test_radius_against_a_sort(size, share):
    random = np.random.default_rng(size)
    distances = random.random((size, size)).astype(np.float32)
    distances[0, 3] = 0  # zeros are left out
    assert cft.choose_eps(distances, share) == pytest.approx(slow_eps(distances, share))


def test_radius_looks_above_the_diagonal_only_and_changes_nothing():
    distances = np.array([[0.0, 3, 1], [0.1, 0, 2], [0.1, 0.1, 0]])
    before = distances.copy()
    assert cft.choose_eps(distances, share=1.0) == 2.0
    assert np.array_equal(distances, before)
    with pytest.raises(ValueError, match="^choose_eps: no pair of images has a distance other"):
        cft.choose_eps(np.zeros((3, 3)))


def people(identities=5, images=6, noise=3, seed=0):
    """Embeddings in tight groups and a few images far from everything."""
    torch.manual_seed(seed)
    centres = torch.randn(identities, 1, 3, 32).expand(-1, images, -1, -1).flatten(0, 1)
    vectors = torch.cat([centres + 0.02 * torch.randn(centres.shape), torch.randn(noise, 3, 32)])
    order = torch.randperm(len(vectors))
    truth = torch.cat([torch.arange(identities).repeat_interleave(images), -torch.ones(noise)])
    return Embedding(vectors, torch.ones(len(vectors), 3))[order], truth[order].long().numpy()


def test_groups_are_found_and_the_rest_is_noise():
    embedding, truth = people()
    distances = cft.self_distances(embedding, VisibilityMatcher(), block=7)
    found = cft.cluster(distances, share=0.17)
    assert found.count == 5 and found.eps > 1  # the distance has an offset of 1
    assert np.array_equal(found.labels == -1, truth == -1)
    for label in range(5):
        assert len(set(truth[found.labels == label])) == 1
    assert np.array_equal(found.kept, np.flatnonzero(truth >= 0))


def test_distances_in_blocks_equal_the_matcher():
    embedding, _ = people()
    embedding.visibility[:, 1] = torch.arange(len(embedding)) % 2
    whole = VisibilityMatcher()(embedding, embedding).numpy()
    found = cft.self_distances(embedding, VisibilityMatcher(), block=5)
    assert found.dtype == np.float32 and not np.allclose(whole, whole.T)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-6)

    class Plain(nn.Module):
        def forward(self, query, gallery):
            return VisibilityMatcher()(query, gallery)

    np.testing.assert_allclose(cft.self_distances(embedding, Plain(), block=5), whole, atol=1e-6)


def test_a_set_without_clusters_is_refused():
    distances = 1 + np.random.default_rng(0).random((20, 20))
    with pytest.raises(UserError, match=r"^cluster and fine-tune: 0 cluster\(s\) among 20 images"):
        cft.cluster(distances)


def test_noise_is_dropped_and_clusters_become_identities():
    split = Split("toy", "train", Path("toy"), tuple("abcde"), [9, 9, 8, 8, 7], [1, 2, 1, 2, 1])
    found = cft.Clusters(np.array([1, -1, 0, 1, -1]), eps=1.2)
    pseudo = cft.pseudo_split(split, found)
    assert pseudo.paths == ("a", "c", "d") and pseudo.identities.tolist() == [1, 0, 1]
    assert pseudo.cameras.tolist() == [1, 1, 2] and pseudo.label_key == "toy/train"
    with pytest.raises(ValueError, match="^4 cluster labels for 5 images$"):
        cft.pseudo_split(split, cft.Clusters(np.zeros(4, np.int64), 1.0))


@pytest.fixture
def run(tmp_path):
    """A finished run of a small stripe model on crops of four very different looks."""
    random = np.random.default_rng(0)
    data = tmp_path / "data"
    for folder, count in (("bounding_box_train", 10), ("query", 1), ("bounding_box_test", 1)):
        (data / "market1501" / folder).mkdir(parents=True)
        for person in range(4):
            look = np.random.default_rng(person).integers(0, 256, (8, 4, 3))
            look = look.repeat(16, 0).repeat(16, 1)
            for frame in range(count):
                noisy = (look + random.integers(-4, 5, look.shape)).clip(0, 255).astype(np.uint8)
                name = f"{person + 1:04d}_c{frame % 6 + 1}s1_{frame:06d}_01.jpg"
                cv2.imwrite(str(data / "market1501" / folder / name), noisy)
    cfg = load_config(
        str(Path(__file__).parents[3] / "configs/eanet/pcb.py"),
        [f"settings.data_root={data}", "data=market1501", "model.backbone.width=8"]
        + ["settings.workers=0", "settings.device=cpu", "settings.precision=fp32"],
    )
    assert check_config(cfg) == []
    identities = Domains(cfg).split("source", "train").relabel()[1]
    model = build_model(cfg, TrainingSet(identities))
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.py").write_text(render(cfg))
    meta = dict(training_set=dict(num_identities=identities, cameras=[]))
    kept = dict(state_dict=model.state_dict(), meta=meta)
    torch.save(kept, folder / "checkpoints/last.pth")
    return folder, data


def test_a_clustered_domain_from_a_run(run, capsys):
    folder, data = run
    options = dict(type="eanet/ClusteredDomain", run=str(folder), domain="source", share=0.25)
    reader = DATASETS.build({**options, "data_root": str(data)})
    reader.prepare()
    split = reader.splits()["train"]
    assert "market1501/train: 4 clusters of" in capsys.readouterr().out
    people = [path.split("/")[-1][:4] for path in split.paths]
    assert len(split) >= 16 and sorted(set(split.identities)) == [0, 1, 2, 3]
    assert len({(person, i) for person, i in zip(people, split.identities, strict=True)}) == 4
    kept = folder / "clusters-source.npz"
    written = kept.stat().st_mtime_ns
    again = DATASETS.build({**options, "data_root": str(data)}).splits()["train"]
    assert kept.stat().st_mtime_ns == written and capsys.readouterr().out == ""
    assert again.paths == split.paths and np.array_equal(again.identities, split.identities)
    options["min_samples"] = 3  # another option: clustered anew
    DATASETS.build({**options, "data_root": str(data)}).prepare()
    assert kept.stat().st_mtime_ns > written


def test_a_clustered_domain_without_a_run_says_so(tmp_path):
    reader = DATASETS.build(
        dict(type="eanet/ClusteredDomain", run=str(tmp_path), data_root=str(tmp_path))
    )
    with pytest.raises(UserError, match="not a run folder, it has no config.py$"):
        reader.prepare()
