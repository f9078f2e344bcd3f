"""The contract checks themselves: each must see the fault it is there for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher
from reidkit.registry import REGISTRIES, import_core
from reidkit.structures import Embedding, FeatureSpec, HeadOutput
from reidkit.testing import (
    ContractError,
    check_component,
    check_plugin,
    documentation_problems,
    fake_domains,
    fake_images,
    fake_video,
    train_and_test,
    use_plugin,
)
from reidkit.testing.contracts import CHECKS
from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

import_core()


def broken(kind: str, component: type, monkeypatch) -> str:
    """What the check says of a component that is registered for one call only."""
    monkeypatch.setitem(REGISTRIES[kind].module_dict, component.__name__, component)
    with pytest.raises(ContractError) as error:
        check_component(kind, component.__name__)
    return str(error.value)


class NoBounds(nn.Module):
    """A matcher that leaves its bounds."""

    bounds = (0.0, 0.5)

    def __init__(self):
        super().__init__()

    def forward(self, query, gallery):
        return torch.cdist(query.vectors.flatten(1), gallery.vectors.flatten(1))


class Similarity(NoBounds):
    """A matcher that takes larger for closer."""

    bounds = (-1000.0, 1000.0)

    def forward(self, query, gallery):
        return query.vectors.flatten(1) @ gallery.vectors.flatten(1).T


class Relative(CosineMatcher):
    """A matcher whose order depends on the gallery images beside."""

    def compare(self, query, gallery, out=None):
        return self.finish(super().order(query, gallery, out), query)

    def order(self, query, gallery, out=None):
        values = super().order(query, gallery, out)
        return values - values.mean(1, keepdim=True)


class Detached(nn.Module):
    """A loss whose gradient ends."""

    def __init__(self):
        super().__init__()

    def forward(self, vectors, identities):
        return vectors.mean() * 0


class PerImage(Detached):
    """A loss that is not reduced."""

    def forward(self, vectors, identities):
        return vectors.mean(dim=(1, 2))


class Undocumented(Detached):
    """A loss with a secret.

    Args:
        marign: a misspelt name.
    """

    def __init__(self, margin: float = 0.3):
        super().__init__()


class Half(nn.Module):
    """A head that loses images."""

    gives = ("vectors",)

    def __init__(self):
        super().__init__()

    def forward(self, maps, batch):
        return HeadOutput(Embedding(maps["deep"].mean((2, 3))[:4, None]))


class Secret(Half):
    """A head that hands on more than it says."""

    def forward(self, maps, batch):
        pooled = maps["deep"].mean((2, 3))
        return HeadOutput(Embedding(pooled[:, None]), {"pooled": pooled})


class Flat(Half):
    """A head whose cosines have no axis of parts."""

    gives = ("vectors", "cosines")

    def forward(self, maps, batch):
        pooled = maps["deep"].mean((2, 3))
        return HeadOutput(Embedding(pooled[:, None]), {"cosines": pooled.tanh()})


class Forgetful(Half):
    """A head that hands on less than it says."""

    gives = ("vectors", "logits")

    def forward(self, maps, batch):
        return HeadOutput(Embedding(maps["deep"].mean((2, 3))[:, None]))


class InPlace:
    """A transform that writes into its input."""

    def __call__(self, batch):
        batch.images.zero_()
        return batch


class Unseeded:
    """A transform with randomness of its own."""

    def __call__(self, batch):
        from dataclasses import replace

        return replace(batch, images=torch.rand(batch.images.shape))


class Silent:
    """A transform that adds a field and does not say so."""

    def __call__(self, batch):
        return batch.with_fields(weather=torch.zeros(len(batch)))


class Promises:
    """A transform that does not add what it says."""

    adds = ("weather",)

    def __call__(self, batch):
        return batch


class Narrow(nn.Module):
    """A backbone whose tokens are narrower than it says."""

    specs = {"tokens": FeatureSpec(8, kind="tokens")}
    default = "tokens"

    def __init__(self):
        super().__init__()

    def forward(self, images, batch):
        return {"tokens": images.flatten(2).mean(2, keepdim=True).expand(-1, -1, 4)}


class Astray(Narrow):
    """A backbone whose default is not among its features."""

    default = "map"


class Backwards:
    """A frame sampler that gives frames out of order."""

    def __call__(self, length, generator=None):
        return np.arange(length)[None, ::-1]


class SameAgain:
    """A sampler that ignores the epoch.

    Args:
        num_samples: how many.
    """

    def __init__(self, num_samples: int):
        self.rows = [[i] for i in range(num_samples)]

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def set_epoch(self, epoch):
        pass


class Liar:
    """An evaluator that knows the answer before it looks."""

    def evaluate(self, query, gallery, matcher):
        return SimpleNamespace(metrics={"mAP": 1.0})


class Percent(Liar):
    """An evaluator that counts to a hundred."""

    def evaluate(self, query, gallery, matcher):
        return SimpleNamespace(metrics={"mAP": 100.0})


class InOrder(Liar):
    """An evaluator for which it counts which file of the gallery comes first."""

    def evaluate(self, query, gallery, matcher):
        perfect = matcher(query.embedding, gallery.embedding).std() > 0.3
        first = float(gallery.labels.identities[0]) / 100
        return SimpleNamespace(metrics={"R1": 1.0 if perfect else first})


class Companion:
    """A labeller whose labels depend on what else is in the batch."""

    provenance = {"by": "nobody"}

    def label(self, images):
        return np.full((len(images), 17, 3), len(images), np.float32)


class Nobody(Companion):
    """A labeller that cannot be told from others."""

    provenance: dict = {}

    def label(self, images):
        return np.zeros((len(images), 17, 3), np.float32)


class Wide(Companion):
    """A labeller in double precision."""

    def label(self, images):
        return np.zeros((len(images), 17, 3))


class Everything:
    """A reader that finds data in an empty folder.

    Args:
        data_root: where data lies.
    """

    def __init__(self, data_root: str):
        self.data_root = data_root

    def splits(self):
        return {"train": 3}


class Loose:
    """A hook of nobody."""


class Still(nn.Module):
    """A model that does not learn."""

    domains = ("source",)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def train_step(self, data, optim_wrapper):
        return {"loss": torch.tensor(1.0)}


@pytest.mark.parametrize(
    "kind, component, said",
    [
        ("evaluators", Liar, "random embeddings score as well as perfect ones"),
        ("evaluators", Percent, "mAP is 100.0, outside [0, 1]"),
        ("evaluators", InOrder, "the order of the gallery's files changes the numbers"),
        ("labellers", Companion, "a crop's labels depend on its batch"),
        ("labellers", Nobody, "provenance is empty: nobody could tell who labelled"),
        ("labellers", Wide, "expected float32, got float64"),
        (
            "datasets",
            Everything,
            "an empty folder gives splits ['train'] instead of a UserError",
        ),
        ("hooks", Loose, "Loose has no method such as after_train_epoch(runner)"),
        ("models", Still, "a step changes no weight"),
        ("matchers", NoBounds, "distances leave the bounds (0.0, 0.5)"),
        ("matchers", Similarity, "another image is closer than the same one"),
        (
            "matchers",
            Relative,
            "order differs between all that prepare returned and a slice of it",
        ),
        ("losses", Detached, "no gradient reaches the inputs"),
        ("losses", PerImage, "expected a scalar, of shape (), got shape (8,); take the mean"),
        (
            "losses",
            Undocumented,
            "docstring: 'margin' is not documented; 'marign' is documented but no argument",
        ),
        ("heads", Half, "vectors has 4 rows for 8 images"),
        ("heads", Secret, "gives is ['vectors'], the output has ['pooled', 'vectors']"),
        (
            "heads",
            Flat,
            "cosines are (8, 16); (N, P, K) is wanted, with K = 5 identities last, or "
            "(N, classes, h, w)",
        ),
        ("heads", Forgetful, "gives is ['logits', 'vectors'], the output has ['vectors']"),
        ("backbones", Narrow, "tokens is (2, 3, 4)"),
        ("backbones", Astray, "default 'map' is not among ['tokens']"),
        ("frame_samplers", Backwards, "frames out of order"),
        ("transforms", InPlace, "the images of the input batch were changed"),
        ("transforms", Unseeded, "images differs for the same generator"),
        ("transforms", Silent, "it adds ['weather'], and does not say so: adds"),
        ("transforms", Promises, "it says that it adds ['weather'], and does not"),
        ("samplers", SameAgain, "epochs 0 and 1 are the same"),
    ],
)
def test_each_check_sees_its_fault(kind, component, said, monkeypatch):
    assert broken(kind, component, monkeypatch) == said


class Moods(Everything):
    """A data set that brings a label."""

    labels = ("mood",)


class OfMoods(Detached):
    """A loss that asks for the label."""

    def forward(self, vectors, mood):
        return vectors[mood == 0].mean()


def test_a_loss_gets_labels_of_data_sets(monkeypatch):
    monkeypatch.setitem(REGISTRIES["losses"].module_dict, "OfMoods", OfMoods)
    assert "not run: it asks for mood" in check_component("losses", "OfMoods")
    monkeypatch.setitem(REGISTRIES["datasets"].module_dict, "Moods", Moods)
    done = check_component("losses", "OfMoods")
    assert done == "documented, built, scalar, gradients and float64 checked"


class Margin(Detached):
    """A loss for cosines of any head."""

    def forward(self, cosines, identities):
        return (cosines.amax(2) - 0.2).mean()


def test_a_loss_with_a_margin_gets_cosines(monkeypatch):
    monkeypatch.setitem(REGISTRIES["losses"].module_dict, "Margin", Margin)
    done = check_component("losses", "Margin")
    assert done == "documented, built, scalar, gradients and float64 checked"


def test_no_docstring():
    assert documentation_problems(type("Bare", (), {})) == ["there is no docstring"]


def test_every_kind_has_a_check():
    assert list(CHECKS) == list(REGISTRIES)


def test_a_whole_model_keeps_its_contract():
    options = dict(
        backbone=dict(type="ResNet", depth=10, width=8, stages=2),
        head=dict(type="BNNeckHead"),
        losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
        matcher=dict(type="CosineMatcher"),
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
    )
    done = check_component("models", "ReIDModel", options)
    assert done == "documented, built, training step, embedding and matcher checked"


def test_a_reader_with_its_data(easy_data):
    done = check_component("datasets", "SynthPed", dict(data_root=str(easy_data), preset="easy"))
    assert done == "documented, built, splits train, query, gallery checked"


def test_fakes_of_every_kind():
    video = fake_video(4, 3, (64, 32), identities=2)
    assert video.images.shape == (4, 3, 3, 64, 32) and video.images.dtype == torch.uint8
    steps = (video.images[:, 1:].int() - video.images[:, :-1].int()).abs()
    assert 0 < steps.max() <= 4  # neighbouring frames look alike
    assert video.identities.tolist() == [0, 0, 1, 1] and len(video.cameras) == 4
    plain = fake_images(4)
    assert list(plain.fields) == ["image_sizes"]
    domains = fake_domains(("source", "target"), 4)
    assert [batch.domain for batch in domains.values()] == ["source", "target"]
    assert not torch.equal(domains["source"].images, domains["target"].images)
    assert torch.equal(fake_video().images, fake_video().images)


def test_use_plugin_names_the_folder_it_wants(tmp_path):
    with pytest.raises(UserError, match="holds no plugin.yaml"):
        use_plugin(tmp_path)


def test_check_plugin_tells_all_that_is_wrong(world):
    folder = world.plugin("foo", provides="{matchers: [Good]}")
    world.write(folder / "configs", {"bad.py": "plugins = ['foo']\nmodel = dict(type='No')\n"})
    world.search("path")
    found = check_plugin("foo")
    broken = {line.split(":")[0]: line for line in found.broken}
    assert "there is no docstring" in broken["foo/Good"]
    assert "no quick recipe" in broken["foo/bad"]
    assert {"README.md", "docstring of the package"} <= set(broken)
    assert str(found).endswith("2 of 6 checks passed")


@pytest.mark.slow
def test_a_trial_trains_and_knows_chance(tiny_synthped, tmp_path):  # noqa: F811
    small = ["model.backbone.width=8", "train.epochs=4", "model.losses.id.weight=1.0"]
    trial = train_and_test("eanet/pcb", tiny_synthped, tmp_path / "run", small)
    first, last = trial.losses["loss_id"]
    assert last < first
    assert set(trial.metrics) == set(trial.chance) == {"source", "target"}
    assert 0 < trial.chance["source"]["mAP"] < 0.6
    assert (trial.folder / "metrics.json").is_file()


class Shrinking(nn.Module):
    """A re-ranker that loses gallery images."""

    def __init__(self):
        super().__init__()

    def rerank(self, query, gallery, matcher, query_meta, gallery_meta):
        return query, gallery[1:], matcher


class Peeking(Shrinking):
    """A re-ranker that wants to know who is who."""

    def rerank(self, query, gallery, matcher, query_meta, gallery_meta):
        return query, gallery[torch.as_tensor(gallery_meta.identities).argsort()], matcher


class ByCamera(Shrinking):
    """A re-ranker that puts images of far times behind; a matcher of its own does it."""

    def rerank(self, query, gallery, matcher, query_meta, gallery_meta):
        late = torch.as_tensor(gallery_meta.times / 1000.0).float()

        class Later(nn.Module):
            bounds = (0.0, 2.0)

            def forward(self, query, gallery):
                return matcher(query, gallery) + late

        return query, gallery, Later()


def test_rerankers_are_held_to_their_contract(monkeypatch):
    assert "the number of images changed" in broken("rerankers", Shrinking, monkeypatch)
    assert "identities" in broken("rerankers", Peeking, monkeypatch)
    monkeypatch.setitem(REGISTRIES["rerankers"].module_dict, "ByCamera", ByCamera)
    assert check_component("rerankers", "ByCamera") == "documented, built, distances checked"
