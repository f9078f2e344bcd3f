"""The teacher stays what it was: in evaluation mode, unmoved, and blind to mirroring."""

import copy

import pytest
import torch
from torch.nn import functional as F

from reidkit.errors import UserError
from reidkit.models.reid_model import ReIDModel
from reidkit_plugins.dgnet.teacher import Teacher, TeachingLoss


def trained_model(loss=None, runs=None):
    torch.manual_seed(1)
    return ReIDModel(
        backbone=dict(type="ResNet", depth=10, width=8),
        head=dict(type="dgnet/BottleneckHead", dim=8),
        losses=dict(id=dict(domain="source", loss=loss or dict(type="CrossEntropyLoss"))),
        matcher=dict(type="CosineMatcher"),
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
        num_identities=7,
        input_size=(64, 32),
        runs=runs,
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


def test_a_run_teaches_a_model_by_what_it_says_of_the_same_images(monkeypatch):
    teacher, opened = Teacher(trained_model()), []
    monkeypatch.setattr(Teacher, "of_run", lambda *known: opened.append(known) or teacher)
    model = trained_model(dict(type="dgnet/TeachingLoss"), {"teacher": "runs/one"})
    assert opened == [("runs/one", 7)]
    assert not any("teacher" in name for name in model.state_dict())
    source = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, 64, 32, generator=source)
    logits = torch.randn(3, 2, 7, generator=source).requires_grad_()
    loss = model.losses["id"].loss(logits, images)
    slow, labels = 0.0, teacher(images)
    for row in range(3):
        for part in range(2):
            p = F.softmax(logits[row, part].detach(), 0)
            slow += sum(float(q * (q / p[k]).log()) for k, q in enumerate(labels[row])) / 3
    assert float(loss.detach()) == pytest.approx(slow, rel=1e-4)
    loss.backward()
    assert logits.grad.abs().sum() > 0


def test_a_role_that_no_run_has_is_refused_and_a_trial_needs_none():
    with pytest.raises(UserError, match="no run is named for the role 'mentor'"):
        TeachingLoss(role="mentor", runs={"teacher": "runs/one"})
    with pytest.raises(UserError, match=r"prerequisites=dict\(teacher=dict\(config=...\)\)"):
        trained_model(dict(type="dgnet/TeachingLoss"), {})
    alike = trained_model(dict(type="dgnet/TeachingLoss")).losses["id"].loss
    assert float(alike(torch.zeros(2, 1, 7), torch.zeros(2, 3, 64, 32))) == pytest.approx(
        0, abs=1e-6
    )
