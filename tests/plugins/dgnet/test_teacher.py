"""The teacher stays what it was: in evaluation mode, unmoved, and blind to mirroring."""

import copy

import torch

from reidkit.models.reid_model import ReIDModel
from reidkit_plugins.dgnet.teacher import Teacher


def trained_model():
    torch.manual_seed(1)
    return ReIDModel(
        backbone=dict(type="ResNet", depth=10, width=8),
        head=dict(type="dgnet/BottleneckHead", dim=8),
        losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
        matcher=dict(type="CosineMatcher"),
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
        num_identities=7,
        input_size=(64, 32),
    ).train()


def test_a_teacher_is_in_evaluation_mode_whatever_the_student_does(net):
    terms = dict(primary=dict(weight=1.0, start=0, ramp=0))
    model = net.tiny(terms=terms)
    model.set_teacher(trained_model())
    before = copy.deepcopy(model.objective.teacher.net.state_dict())
    optim = net.optimizers(model)
    model.train()
    log = model.train_step({"source": net.quarters()}, optim)
    model.draw_samples(net.quarters())  # evaluates and goes back to training
    teacher = model.objective.teacher.net
    assert not any(part.training for part in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(torch.equal(before[n], value) for n, value in teacher.state_dict().items())
    assert log["loss_primary"] >= 0 and not any("teacher" in n for n in model.state_dict())


def test_labels_are_probabilities_that_ignore_mirroring():
    teacher = Teacher(trained_model())
    images = torch.randn(3, 3, 64, 32)
    q = teacher(images)
    assert torch.allclose(q.sum(1), torch.ones(3), atol=1e-6) and q.min() >= 0
    assert torch.allclose(teacher(images.flip(3)), q, atol=1e-6)
    assert torch.equal(teacher(images), q)
