"""One iteration: who gets gradients from what, which label goes where, and what must not move."""

import copy
import math

import pytest
import torch

from reidkit_plugins.dgnet.discriminator import Discriminator
from reidkit_plugins.dgnet.frozen import frozen_call
from reidkit_plugins.dgnet.iteration import swap
from reidkit_plugins.dgnet.losses import PUBLISHED, r1_penalty

PARTS = ("E_s", "G", "MLPs", "trunk", "head1", "head2", "D")
GENERATOR = {"E_s", "G", "MLPs"}


def parts(model):
    nets = model.networks
    encoder = nets.appearance_encoder
    return dict(
        E_s=nets.structure_encoder,
        G=nets.decoder,
        MLPs=nets.mlps,
        trunk=encoder.backbone,
        head1=encoder.heads[0],
        head2=encoder.heads[1],
        D=nets.discriminator,
    )


def all_on(weight=1.0):
    return {name: dict(weight=weight, start=0, ramp=0) for name in PUBLISHED}


def prepared(net, model, seed=0, side=2, identities=None):
    batch = net.quarters(side, seed, identities)
    return model.data_preprocessor({"source": batch}, True)["source"]


def iteration(net, model, live, number=0):
    """An iteration in which the structure coin fell the wanted way."""
    for seed in range(50):
        step = model.iterate(prepared(net, model, seed), number)
        if step.live_encoder == live:
            return step
    raise AssertionError("the coin never fell that way")


def reached(model, loss):
    """Parts of the model in which the loss leaves a gradient that is not zero."""
    model.zero_grad(set_to_none=True)
    if not loss.requires_grad:
        return set()
    loss.backward(retain_graph=True)
    return {
        name
        for name, part in parts(model).items()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    }


@pytest.fixture
def full(net):
    """All terms on at full weight, with a stand-in for the teacher's probabilities."""
    model = net.tiny(terms=all_on()).train()
    model.objective.teacher = net.FakeTeacher()
    return model


@pytest.mark.parametrize("live", [True, False], ids=["draw<=0.5", "draw>0.5"])
def test_gradient_matrix(net, full, live):
    """Who learns from what, term by term, for both falls of the structure coin."""
    step = iteration(net, full, live)
    terms = {**step.generative_terms(), **step.reid_terms()}
    assert set(terms) == set(PUBLISHED)
    found = {name: reached(full, loss) for name, loss in terms.items()}
    assert found == {
        "self_recon": GENERATOR,
        "same_recon": GENERATOR,
        "gan": GENERATOR,
        "id_composite": GENERATOR,
        "structure_code": {"E_s"} if live else GENERATOR,
        "appearance_code": set(),
        "cycle": GENERATOR,
        "id": {"trunk", "head1"},
        "id_positive": {"trunk", "head1"},
        "id_fine": {"trunk", "head2"},
        "primary": {"trunk", "head1"},
        "fine": {"trunk", "head2"},
    }
    assert not terms["appearance_code"].requires_grad
    assert reached(full, step.discriminator_loss()) == {"D"}


def test_structure_code_from_the_live_composite_leaves_the_encoding_copy_alone(net, full):
    """Draw > 0.5: E_s gets its gradient through the composite, none as the re-encoder."""
    step = iteration(net, full, live=False)
    again = frozen_call(full.networks.structure_encoder, step.composite.detach())
    assert not again.requires_grad


def test_gradient_matrix_of_the_papers_text(net):
    """With ``detach_code=False`` reconstruction and code terms reach E_a's trunk."""
    model = net.tiny(terms=all_on(), networks=dict(detach_code=False)).train()
    model.objective.teacher = net.FakeTeacher()
    step = iteration(net, model, live=True)
    terms = step.generative_terms()
    assert reached(model, terms["self_recon"]) == GENERATOR | {"trunk"}
    assert reached(model, terms["same_recon"]) == GENERATOR | {"trunk"}
    assert reached(model, terms["appearance_code"]) == GENERATOR | {"trunk"}


@pytest.mark.parametrize("passes", ["separate", "joint"])
def test_values_at_the_start(net, passes):
    """D 6.00, generator 12.0, each identity sum 2 ln n, R1 about 0."""
    model = net.tiny(
        num_identities=751, terms=dict(primary=dict(weight=0.0)), networks=dict(passes=passes)
    ).train()
    step = model.iterate(prepared(net, model, side=4), 0)
    terms = {**step.generative_terms(), **step.reid_terms()}
    assert step.discriminator_loss().item() == pytest.approx(6.0, abs=0.01)
    assert terms["gan"].item() == pytest.approx(12.0, abs=0.1)
    for name, weight in (("id", 1.0), ("id_positive", 1.0), ("id_composite", 0.5)):
        assert terms[name].item() == pytest.approx(weight * 2 * math.log(751), abs=0.05)
    model.objective.r1 = 1.0
    plain = step.discriminator_loss()
    model.objective.r1 = 0.0
    assert abs(plain.item() - step.discriminator_loss().item()) < 1e-4


def test_phase_one_has_the_terms_that_start_at_once(net):
    model = net.tiny(terms={}).train()
    for number, late in ((0, False), (30_000, False), (30_001, True)):
        model.objective.teacher = net.FakeTeacher()
        step = model.iterate(prepared(net, model), number)
        names = set(step.generative_terms()) | set(step.reid_terms())
        first = {"self_recon", "same_recon", "gan", "id", "id_positive", "id_composite"}
        assert names == (set(PUBLISHED) if late else first)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_term_can_be_on_alone(net, name):
    """A term needs no other one to be computed."""
    terms = {n: dict(weight=float(n == name), start=0, ramp=0) for n in PUBLISHED}
    model = net.tiny(terms=terms).train()
    model.objective.teacher = net.FakeTeacher()
    step = model.iterate(prepared(net, model), 0)
    assert set(step.generative_terms() | step.reid_terms()) == {name}


def test_labels_of_composites(net, full, monkeypatch):
    """Primary: the teacher on the composite. Identity: who gave the appearance. Fine: structure."""
    import reidkit_plugins.dgnet.iteration as module

    asked = []
    real = module.F.cross_entropy
    monkeypatch.setattr(
        module.F, "cross_entropy", lambda logits, y: asked.append(y) or real(logits, y)
    )
    step = full.iterate(prepared(net, full, identities=[0, 1, 2, 3]), 0)
    step.generative_terms()
    assert [y.tolist() for y in asked] == [[0, 1, 2, 3]]  # id_composite: row i wears i
    asked.clear()
    step.reid_terms()
    assert [y.tolist() for y in asked] == [[0, 1, 2, 3]] * 3 + [[2, 3, 0, 1]]  # the last is fine
    (seen,) = full.objective.teacher.seen
    assert torch.equal(seen, step.composite) and not seen.requires_grad


def test_composites_wear_one_and_stand_as_the_other(net, full):
    step = full.iterate(prepared(net, full), 0)
    with torch.no_grad():
        for row, other in enumerate([2, 3, 0, 1]):
            alone = full.networks.decode(
                step.code[row : row + 1], step.structure[other : other + 1]
            )
            assert torch.allclose(alone, step.composite[row : row + 1], atol=1e-4)
    assert swap(torch.arange(4)).tolist() == [2, 3, 0, 1]


def test_reconstruction_takes_the_code_of_the_other_picture(net, full):
    step = full.iterate(prepared(net, full), 0)
    made = full.networks.decode(step.positive_code, step.structure)
    expected = 2 * (made - step.x).abs().mean()
    assert step.generative_terms()["same_recon"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert not torch.equal(step.code, step.positive_code)


def test_only_the_identity_losses_see_erased_images(net):
    model = net.tiny(
        transforms=dict(
            train=dict(normalize=dict(type="Normalize")),
            test=dict(normalize=dict(type="Normalize")),
            identity=dict(erase=dict(type="RandomErasing", p=1.0)),
        )
    ).train()
    step = model.iterate(prepared(net, model), 0)
    whole = model.normalize(net.quarters()).images
    assert torch.equal(step.x, whole[:4])
    assert (step.erased == 0).any() and not torch.equal(step.erased, whole)


def test_a_step_moves_what_it_should_and_nothing_else(net):
    model = net.tiny(terms=all_on()).train()
    model.objective.teacher = net.FakeTeacher()
    before = copy.deepcopy(model.state_dict())
    log = model.train_step({"source": net.quarters()}, net.optimizers(model))
    after = model.state_dict()
    changed = [n.removeprefix("networks.") for n in after if not torch.equal(before[n], after[n])]
    moved = {n.split(".")[0] for n in changed}
    assert moved == {
        "appearance_encoder", "structure_encoder", "mlps", "decoder", "discriminator", "iteration",
    }  # fmt: skip
    assert int(model.iteration) == 1 and math.isfinite(log["loss"])
    assert all(p.grad is None for p in model.parameters())


def test_generative_terms_alone_leave_the_reid_network_as_it_is(net):
    off = {n: dict(weight=0.0) for n in ("id", "id_positive", "id_fine", "primary", "fine")}
    model = net.tiny(terms=all_on() | off).train()
    before = copy.deepcopy(model.networks.appearance_encoder)
    model.train_step({"source": net.quarters()}, net.optimizers(model))
    for old, new in zip(
        before.parameters(), model.networks.appearance_encoder.parameters(), strict=True
    ):
        assert torch.equal(old, new)


def test_the_copy_that_reencodes_keeps_statistics_and_drops_nothing(net, full):
    encoder = full.networks.appearance_encoder
    before = {n: b.clone() for n, b in encoder.named_buffers()}
    images = torch.randn(4, 3, 64, 32)
    first, second = full.networks.reencode(images), full.networks.reencode(images)
    assert torch.equal(first[1], second[1])  # no dropout
    assert all(torch.equal(b, before[n]) for n, b in encoder.named_buffers())
    assert all(m.training for m in encoder.modules())
    images[1] += 1  # the other image of side a
    third = full.networks.reencode(images)[1]
    assert not torch.allclose(third[0], first[1][0], atol=1e-6)  # batch statistics...
    assert torch.equal(third[2:], first[1][2:])  # ... of each side


def test_codes_count_in_the_running_statistics(net, full):
    """The passes that only give codes run without graph, but in training mode."""
    norm = full.networks.appearance_encoder.backbone.bn1
    before = int(norm.num_batches_tracked)
    code = full.networks.code(torch.randn(8, 3, 64, 32), 4)
    assert int(norm.num_batches_tracked) == before + 4 and not code.requires_grad


def test_gradient_penalty_by_finite_differences(net):
    """Mean over images of the squared slope of the summed patches, on a real scale of D."""
    torch.manual_seed(0)
    scale = Discriminator(2).scales[0].double()
    for part in scale.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.normal_(part.weight, std=0.3)
    x = torch.randn(2, 3, 16, 8, dtype=torch.float64, requires_grad=True)
    found = r1_penalty([scale(x)], x)
    delta, squared = 1e-6, []
    with torch.no_grad():
        for image in x:
            steps = delta * torch.eye(image.numel(), dtype=torch.float64).view(-1, *image.shape)
            up, down = (scale(image + s).flatten(1).sum(1) for s in (steps, -steps))
            squared.append(((up - down) / (2 * delta)).square().sum())
    assert found.item() == pytest.approx(torch.stack(squared).mean().item(), rel=1e-4)


def test_weight_of_the_gradient_penalty(net):
    """0.01 for each side, over the three scales, on real images."""
    model = net.tiny().train()
    for part in model.networks.discriminator.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.normal_(part.weight, std=0.2)
    step = model.iterate(prepared(net, model), 0)
    with_penalty = step.discriminator_loss()
    model.objective.r1 = 0.0
    without = step.discriminator_loss()
    x = step.x.clone().requires_grad_()
    penalty = r1_penalty(model.networks.discriminator(x), x)
    assert penalty > 1e-3
    assert (with_penalty - without).item() == pytest.approx(0.02 * penalty.item(), rel=0.02)


@pytest.mark.slow
def test_recomputing_gives_the_same_step(net):
    """``checkpoint`` trades time for memory and changes no number."""
    logs = []
    for checkpoint in (False, True):
        model = net.tiny(terms=all_on(), networks=dict(checkpoint=checkpoint)).train()
        model.objective.teacher = net.FakeTeacher()
        torch.manual_seed(1)
        optim = net.optimizers(model)
        model.train_step({"source": net.quarters()}, optim)
        logs.append(model.train_step({"source": net.quarters(seed=1)}, optim))
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)


def test_bf16_autocast_trains_with_float32_losses(net):
    model = net.tiny(terms=all_on(), precision="bf16").train()
    model.objective.teacher = net.FakeTeacher()
    step = model.iterate(prepared(net, model), 0)
    terms = {**step.generative_terms(), **step.reid_terms(), "D": step.discriminator_loss()}
    assert {t.dtype for t in terms.values()} == {torch.float32}
    assert all(torch.isfinite(t) for t in terms.values())
    log = model.train_step({"source": net.quarters()}, net.optimizers(model))
    assert math.isfinite(log["loss"])


def test_embeddings_are_float32_whatever_the_precision_of_training(net):
    exact, half = net.tiny(), net.tiny(precision="bf16")
    half.load_state_dict(exact.state_dict())
    batch = net.quarters()
    assert torch.equal(exact.embed(batch).vectors, half.embed(batch).vectors)


def test_batches_without_positives_are_refused(net):
    model = net.tiny().train()
    batch = net.quarters()
    batch.identities = torch.arange(8)
    with pytest.raises(ValueError, match="train.sampler=dgnet/PairSampler"):
        model.train_step({"source": batch}, net.optimizers(model))


def test_the_primary_term_wants_a_teacher(net):
    model = net.tiny(terms=all_on()).train()
    with pytest.raises(ValueError, match="needs a teacher"):
        model.train_step({"source": net.quarters()}, net.optimizers(model))


@pytest.mark.slow
def test_reconstruction_is_learned(net):
    """Eight pictures of four people: both reconstructions fall to well below where they start."""
    only = {n: dict(weight=float(n.endswith("recon")), start=0, ramp=0) for n in PUBLISHED}
    model = net.tiny(terms=only, networks=dict(structure_dim=4, mlp_dim=32, passes="joint")).train()
    random = torch.Generator().manual_seed(3)
    # plain clothes by identity; the second picture of everyone has another shape
    images = torch.full((8, 3, 64, 32), 90, dtype=torch.uint8)
    colours = torch.randint(0, 256, (4, 3, 1, 1), generator=random, dtype=torch.uint8)
    for row in range(8):
        left = 4 + 6 * (row // 4)
        images[row, :, 12:56, left : left + 14] = colours[row % 4]
    optim = net.optimizers(model)
    optim["generator"].optimizer.param_groups[0]["lr"] = 3e-3
    logs = []
    for _ in range(30):
        batch = net.quarters(identities=[0, 1, 2, 3])
        batch.images = images
        logs.append(model.train_step({"source": batch}, optim))
    for name in ("loss_self_recon", "loss_same_recon"):
        start, end = logs[0][name], min(log[name] for log in logs[-5:])
        assert end < 0.7 * start, (name, start, end)
