"""The whole model: which loss reaches what, embeddings, distances (acceptance checks 4 and 7)."""

import math

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.build import classifier_names
from reidkit.engine.optim import build_optim
from reidkit.evaluation.matchers.vectors import CosineMatcher, EuclideanMatcher
from reidkit.models.reid_model import ReIDModel
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch
from reidkit_plugins.jlml.heads import JLMLHead
from reidkit_plugins.jlml.losses import BranchLoss
from reidkit_plugins.jlml.matcher import L1Matcher

IDENTITIES = 5
ID = {
    f"id_{name}": dict(domain="source", loss=dict(type="jlml/BranchLoss", branch=branch))
    for branch, name in enumerate(("global", "local"))
}
SPARSE = dict(
    sparse_global=dict(
        domain="source", weight=5e-4, loss=dict(type="jlml/GroupLasso", layer="global")
    ),
    sparse_local=dict(
        domain="source", weight=5e-4, loss=dict(type="jlml/ExclusiveGroupLasso", layer="local")
    ),
)
UNI = dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss")))


def make_model(losses=None, backbone=None, head=None):
    torch.manual_seed(0)
    return ReIDModel(
        backbone=dict(type="jlml/JLMLNet", width=8, blocks=(1, 1, 1, 1), **(backbone or {})),
        head=dict(type="jlml/JLMLHead", dim=16, **(head or {})),
        losses=losses or {**ID, **SPARSE},
        matcher=dict(type="EuclideanMatcher", normalize=True),
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
        num_identities=IDENTITIES,
        input_size=(64, 32),
    ).train()


def make_batch(seed=0, count=8):
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 64, 32), generator=random, dtype=torch.uint8)
    return ReIDBatch(images, identities=torch.arange(count) % IDENTITIES)


def losses_of(model, batch=None):
    return model(**model.data_preprocessor({"source": batch or make_batch()}, True), mode="loss")


def gradients(model, *names):
    """Gradients that are not zero of the named losses' sum, by parameter."""
    model.zero_grad(set_to_none=True)
    found = losses_of(model)
    sum(found[f"loss_{name}"] for name in names).backward()
    return {
        n: p.grad.clone()
        for n, p in model.named_parameters()
        if p.grad is not None and p.grad.any()
    }


def of(names, branch):
    return {n for n in names if f"branches.{branch}." in n}


def test_each_loss_reaches_its_own_branch_and_the_shared_layer():
    model = make_model()
    names = {n for n, _ in model.named_parameters()}
    only_global, only_local = gradients(model, "id_global"), gradients(model, "id_local")
    assert not of(only_global, "local") and not of(only_local, "global")
    assert of(only_global, "global") == of(names, "global")
    assert of(only_local, "local") == of(names, "local")
    both = gradients(model, "id_global", "id_local")
    shared = "backbone.shared.conv1.0.weight"
    for grads in (only_global, only_local):
        assert grads[shared].abs().sum() > 0
    torch.testing.assert_close(
        both[shared], only_global[shared] + only_local[shared], rtol=1e-5, atol=1e-6
    )


def test_sparsity_reaches_the_feature_layers_alone():
    model = make_model()
    for branch in ("global", "local"):
        grads = gradients(model, f"sparse_{branch}")
        assert [n for n, g in grads.items() if g.any()] == [
            f"head.branches.{branch}.feature.weight"
        ]


def test_the_joint_loss_reaches_both_branches():
    model = make_model(UNI, head=dict(loss="uni"))
    grads = gradients(model, "id")
    assert of(grads, "global") and of(grads, "local") and "head.classifier.weight" in grads
    assert classifier_names(model) == {"head.classifier.weight", "head.classifier.bias"}
    names = classifier_names(make_model())
    assert names == {f"head.branches.{b}.classifier.{p}" for b in ("global", "local")
                     for p in ("weight", "bias")}  # fmt: skip


def test_two_stems_share_nothing():
    model = make_model(backbone=dict(share_depth="none"))
    for own, other in (("global", "local"), ("local", "global")):
        assert not of(gradients(model, f"id_{own}"), other)
    assert not [n for n, _ in model.named_parameters() if n.startswith("backbone.shared")]


def test_identity_losses_start_at_the_logarithm_of_the_classes():
    found = losses_of(make_model())
    for name in ("global", "local"):
        assert found[f"loss_id_{name}"].item() == pytest.approx(math.log(IDENTITIES), abs=0.01)


@pytest.mark.parametrize(
    "losses, backbone, head, parts",
    [
        (None, None, None, 2),
        (UNI, None, dict(loss="uni"), 2),
        (UNI, dict(branch="global"), None, 1),
        (UNI, dict(branch="local"), dict(fc_bn_relu=True), 1),
    ],
)
def test_arms_learn_and_embed(losses, backbone, head, parts):
    model, batch = make_model(losses, backbone, head), make_batch()
    optim = build_optim(model, dict(optimizer=dict(type="AdamW", lr=5e-3)))
    before = None
    for _ in range(8):
        total = sum(losses_of(model, batch).values())
        before = total.item() if before is None else before
        optim.update_params(total)
    assert total.item() < 0.9 * before
    vectors = model.embed(batch).vectors
    assert vectors.shape == (8, parts, 16)
    torch.testing.assert_close(vectors.norm(dim=2), torch.ones(8, parts))


def test_a_branch_loss_without_its_branch_says_so():
    with pytest.raises(ValueError, match=r"BranchLoss\(branch=1\): the head gives logits of 1 bra"):
        BranchLoss(1)(torch.zeros(2, 1, 3), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="loss must be 'multi' or 'uni'"):
        JLMLHead({"global": FeatureSpec(8, 32)}, 3, loss="both")


def test_weight_decay_leaves_sparse_layers_alone():
    model = make_model()
    train = prepare_config("jlml/jlml").train
    optim = build_optim(model, train)
    free = {id(p) for g in optim.optimizer.param_groups if not g["weight_decay"]
            for p in g["params"]}  # fmt: skip
    assert free == {id(branch.feature.weight) for branch in model.head.branches.values()}


def test_the_stripes_keep_their_place_in_the_feature():
    head = make_model().head.eval()
    maps = torch.zeros(1, 64, 8, 3)
    maps[:, 5, 4:6] = 1.0  # channel 5 of the third of four stripes
    local = head.branches["local"]
    with torch.no_grad():
        out = head({"global": torch.zeros(1, 128, 2, 1), "local": maps}, None)
        expected = torch.nn.functional.normalize(local.weight[:, 2, 5], dim=0)
    torch.testing.assert_close(out.embedding.vectors[0, 1], expected)
    assert isinstance(out, HeadOutput) and set(out.known()) == {"vectors"}


def embeddings(seed=0):
    random = torch.Generator().manual_seed(seed)
    scale = torch.tensor([[[1.0], [7.0]]])
    query, gallery = (torch.randn(n, 2, 16, generator=random) * scale for n in (4, 9))
    return query, gallery


def test_distance_weighs_both_branches_alike():
    query, gallery = embeddings()
    distance = EuclideanMatcher(normalize=True)(Embedding(query), Embedding(gallery))
    cosines = torch.nn.functional.cosine_similarity(query[:, None], gallery[None], dim=3).sum(2)
    torch.testing.assert_close(distance.square(), 4 - 2 * cosines, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: EuclideanMatcher(True), CosineMatcher, L1Matcher])
def test_scale_and_order_of_the_branches_do_not_matter(make):
    query, gallery = embeddings()
    louder = torch.tensor([[[1.0], [100.0]]])
    plain = make()(Embedding(query), Embedding(gallery)).argsort(1)
    scaled = make()(Embedding(query * louder), Embedding(gallery * louder)).argsort(1)
    swapped = make()(Embedding(query.flip(1)), Embedding(gallery.flip(1))).argsort(1)
    assert torch.equal(plain, scaled) and torch.equal(plain, swapped)


def test_l1_is_the_sum_of_absolute_differences():
    query, gallery = embeddings()
    raw = L1Matcher(normalize=False)(Embedding(query), Embedding(gallery))
    torch.testing.assert_close(raw, (query[:, None] - gallery[None]).abs().sum((2, 3)))
    units = [torch.nn.functional.normalize(side, dim=2) for side in (query, gallery)]
    torch.testing.assert_close(
        L1Matcher()(Embedding(query), Embedding(gallery)),
        (units[0][:, None] - units[1][None]).abs().sum((2, 3)),
    )
    with pytest.raises(ValueError, match=r"differ in \(branches, dims\)"):
        L1Matcher()(Embedding(query), Embedding(gallery[:, :1]))
