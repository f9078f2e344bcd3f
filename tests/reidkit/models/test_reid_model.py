"""The multi-domain model: gradients add up, statistics are per domain, roles get what they name."""

import copy

import pytest
import torch

import reidkit.data
import reidkit.evaluation
import reidkit.models  # noqa: F401  (registers the components)
from reidkit.errors import UserError
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.models.reid_model import ReIDModel
from reidkit.registry import HEADS, LOSSES
from reidkit.structures import Embedding, Field, HeadOutput, ReIDBatch


class MapHead(torch.nn.Module):
    """A 1x1 convolution to part logits; an auxiliary head for these tests."""

    gives = ("logits",)

    def __init__(self, features: dict):
        super().__init__()
        self.name = list(features)[-1]
        self.norm = torch.nn.BatchNorm2d(features[self.name].channels)
        self.conv = torch.nn.Conv2d(features[self.name].channels, 3, 1)

    def forward(self, maps, batch):
        return HeadOutput(outputs={"logits": self.conv(self.norm(maps[self.name]))})


class MapLoss(torch.nn.Module):
    """Cross-entropy of part logits with the part map; for these tests."""

    def __init__(self):
        super().__init__()

    def forward(self, logits, part_map):
        return torch.nn.functional.cross_entropy(logits, part_map)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for registry, component in ((HEADS, MapHead), (LOSSES, MapLoss)):
        monkeypatch.setitem(registry._module_dict, component.__name__, component)


def make_model(**changes) -> ReIDModel:
    torch.manual_seed(0)
    normalize = dict(normalize=dict(type="Normalize"))
    options = dict(
        backbone=dict(type="ResNet", depth=18, width=8, stages=2),
        head=dict(type="BNNeckHead"),
        aux_heads=dict(ps=dict(type="MapHead")),
        losses=dict(
            id=dict(domain="source", loss=dict(type="CrossEntropyLoss")),
            ps=dict(domain="source", head="ps", weight=0.5, loss=dict(type="MapLoss")),
            ps_target=dict(domain="target", head="ps", weight=2.0, loss=dict(type="MapLoss")),
        ),
        matcher=dict(type="CosineMatcher"),
        transforms=dict(train=normalize, test=normalize),
        num_identities=4,
        input_size=(32, 16),
    )
    return ReIDModel(**{**options, **changes}).train()


def make_batch(seed: int, count: int = 4) -> ReIDBatch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 32, 16), generator=generator, dtype=torch.uint8)
    part_map = torch.randint(0, 3, (count, 8, 4), generator=generator)
    fields = {"part_map": Field(part_map, grid=True)}
    return ReIDBatch(images, identities=torch.arange(count) % 4, fields=fields)


def backward(model: ReIDModel, batches: dict[str, ReIDBatch]) -> dict[str, torch.Tensor]:
    model.zero_grad()
    losses = model(**model.data_preprocessor(batches, True), mode="loss")
    sum(losses.values()).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def freeze_norms(model: ReIDModel) -> ReIDModel:
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model


def only(model: ReIDModel, domain: str) -> ReIDModel:
    """The same model with the roles of one domain."""
    part = copy.deepcopy(model)
    for name, role in list(part.losses.items()):
        if role.domain != domain:
            del part.losses[name]
    return part


def test_gradients_are_the_sum_of_the_domains():
    model = freeze_norms(make_model())
    source, target = make_batch(1), make_batch(2)
    both = backward(model, {"source": source, "target": target})
    first = backward(only(model, "source"), {"source": source})
    second = backward(only(model, "target"), {"target": target})
    assert set(both) == set(first) | set(second)
    for name, gradient in both.items():
        expected = first.get(name, 0) + second.get(name, 0)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    assert not any(name.startswith("head.") for name in second)
    assert any(name.startswith("aux_heads.ps") for name in second)


def test_batch_norm_statistics_move_once_per_domain_in_order():
    model = make_model()
    norm = model.aux_heads["ps"].norm
    manual = copy.deepcopy(model)
    for domain, batch in (("source", make_batch(1)), ("target", make_batch(2))):
        manual._run_heads(manual.data_preprocessor({domain: batch}, True)[domain], {"ps"})
    backward(model, {"source": make_batch(1), "target": make_batch(2)})
    assert norm.num_batches_tracked == 2
    torch.testing.assert_close(norm.running_mean, manual.aux_heads["ps"].norm.running_mean)
    assert model.head.neck.num_batches_tracked == 1


def test_weights_of_roles_scale_their_losses():
    model, heavy = make_model(), make_model()
    heavy.losses["ps"].weight = 1.0
    batches = {"source": make_batch(1), "target": make_batch(2)}
    light = model(**model.data_preprocessor(batches, True), mode="loss")
    full = heavy(**heavy.data_preprocessor(batches, True), mode="loss")
    torch.testing.assert_close(2 * light["loss_ps"], full["loss_ps"])
    torch.testing.assert_close(light["loss_id"], full["loss_id"])


def test_a_label_that_is_missing_is_named():
    model = make_model()
    batch = make_batch(1)
    del batch.fields["part_map"]
    with pytest.raises(UserError) as error:
        backward(model, {"source": batch, "target": make_batch(2)})
    assert str(error.value) == (
        "MapLoss on domain 'source' asks for ['part_map'], but neither the 'ps' head nor the "
        "batch has it"
    )


def test_embed_is_float32_in_eval_mode_and_restores_the_mode():
    model = make_model()
    embedding = model.embed(make_batch(3))
    assert embedding.vectors.dtype == torch.float32 and model.training
    again = model.embed(make_batch(3))
    assert torch.equal(embedding.vectors, again.vectors)


def test_bf16_stays_near_float32():
    batches = {"source": make_batch(1), "target": make_batch(2)}
    exact, half = make_model(), make_model(precision="bf16")
    a = exact(**exact.data_preprocessor(batches, True), mode="loss")
    b = half(**half.data_preprocessor(batches, True), mode="loss")
    for name in a:
        assert b[name].dtype == torch.float32
        exactly, nearly = float(a[name].detach()), float(b[name].detach())
        assert abs(exactly - nearly) < 0.05 * max(1.0, exactly)


def test_losses_see_float32_outside_of_autocast(monkeypatch):
    """What a loss multiplies itself is not rounded either."""
    seen = {}

    class Records(torch.nn.Module):
        def __init__(self):
            super().__init__()

        def forward(self, logits, vectors, identities):
            flat = vectors.flatten(1)
            seen.update(logits=logits, vectors=vectors, product=flat @ flat.T)
            return logits.square().mean() + seen["product"].mean()

    monkeypatch.setitem(LOSSES._module_dict, "Records", Records)
    role = dict(domain="source", loss=dict(type="Records"))
    model = make_model(losses=dict(one=role), precision="bf16")
    given = []
    model.head.register_forward_hook(lambda module, args, output: given.append(output))
    backward(model, {"source": make_batch(1)})
    assert given[0].outputs["logits"].dtype == torch.bfloat16, (
        "the head itself runs in low precision"
    )
    assert {name: tensor.dtype for name, tensor in seen.items()} == dict.fromkeys(
        seen, torch.float32
    )


@pytest.mark.parametrize("given", [torch.ones(4), torch.ones(1), 2.0])
def test_a_loss_must_return_one_number(monkeypatch, given):
    class Many(torch.nn.Module):
        def __init__(self):
            super().__init__()

        def forward(self, logits):
            return given

    monkeypatch.setitem(LOSSES._module_dict, "Many", Many)
    model = make_model(losses=dict(one=dict(domain="source", loss=dict(type="Many"))))
    with pytest.raises(UserError, match=r"Many.forward must return one number, a tensor of shape"):
        backward(model, {"source": make_batch(1)})


def test_embeddings_do_not_depend_on_the_precision_of_training():
    exact, half = make_model(), make_model(precision="bf16")
    wanted = exact.embed(make_batch(3)).vectors
    assert torch.equal(half.embed(make_batch(3)).vectors, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(half.embed(make_batch(3)).vectors, wanted)


def test_logits_the_wrong_way_round_are_refused(monkeypatch):
    class Turned(torch.nn.Module):
        def __init__(self, features, num_identities):
            super().__init__()
            self.classifier = torch.nn.Linear(list(features.values())[-1].channels, num_identities)

        def forward(self, maps, batch):
            vector = list(maps.values())[-1].mean((2, 3))
            logits = self.classifier(vector)[:, :, None]
            return HeadOutput(Embedding(vector[:, None]), {"logits": logits})

    monkeypatch.setitem(HEADS._module_dict, "Turned", Turned)
    role = dict(domain="source", loss=dict(type="CrossEntropyLoss"))
    model = make_model(head=dict(type="Turned"), losses=dict(id=role))
    wanted = r"the 'embed' head gave logits \(4, 4, 1\); \(N, P, K\) is wanted, .* K = 4 "
    with pytest.raises(UserError, match=wanted):
        backward(model, {"source": make_batch(1)})


def test_a_loss_that_keeps_vectors_needs_the_width_of_its_head():
    losses = dict(mix=dict(domain="source", head="ps", loss=dict(type="OIMLoss")))
    with pytest.raises(UserError) as error:
        make_model(losses=losses)
    assert str(error.value) == (
        "OIMLoss keeps vectors of the head, and MapHead does not say its width: give it an "
        "attribute width, numbers P * D of an embedding"
    )
    losses["mix"]["loss"]["width"] = 16
    assert make_model(losses=losses).losses["mix"].loss.table.shape == (4, 16)


def test_a_head_that_returns_a_tensor():
    class Bare(MapHead):
        def forward(self, maps, batch):
            return super().forward(maps, batch).outputs["logits"]

    HEADS._module_dict["Bare"] = Bare
    try:
        model = make_model(aux_heads=dict(ps=dict(type="Bare")))
    finally:
        del HEADS._module_dict["Bare"]
    with pytest.raises(UserError) as error:
        backward(model, {"source": make_batch(1), "target": make_batch(2)})
    assert str(error.value) == "Bare must return a HeadOutput, got Tensor"


def test_losses_are_scaled_by_patterns_of_their_names_and_left_out_at_zero():
    model, batches = make_model(), {"source": make_batch(1), "target": make_batch(2)}
    prepared = model.data_preprocessor(batches, True)
    whole = model(**prepared)
    model.scale_losses({"ps*": 0.5, "ps_target": 0.0})
    part = model(**prepared)
    assert set(part) == {"loss_id", "loss_ps"} and model.domains == ["source"]
    torch.testing.assert_close(part["loss_ps"], 0.5 * whole["loss_ps"])
    with pytest.raises(UserError, match="no loss 'p'; it has: id, ps, ps_target"):
        model.scale_losses({"p": 0.0})
    with pytest.raises(UserError, match="leaves no loss"):
        model.scale_losses({"*": 0.0})


@pytest.mark.parametrize("training, where", [(True, "train"), (False, "test")])
def test_images_that_are_bytes_still(training, where):
    prepare = ReIDPreprocessor()
    batch = ReIDBatch(torch.zeros(2, 3, 8, 4, dtype=torch.uint8))
    with pytest.raises(UserError, match=rf"^model\.transforms\.{where}: .* torch\.uint8 still"):
        prepare({"source": batch}, training)
