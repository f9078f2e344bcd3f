"""Generator and discriminator may learn in every n-th iteration; E_a learns in all, as it would."""

import copy

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.errors import UserError
from reidkit_plugins.dgnet.losses import PUBLISHED

REID = {"loss_id", "loss_id_positive", "loss_id_fine", "loss_primary", "loss_fine"}


def stepped(net, interval, number):
    """A tiny model after iteration ``number``, what it was before, and its log."""
    terms = {name: dict(weight=1.0, start=0, ramp=0) for name in PUBLISHED}
    model = net.tiny(terms=terms, generator_interval=interval).train()
    model.objective.teacher = net.FakeTeacher()
    model.iteration.fill_(number)
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(1)
    log = model.train_step({"source": net.quarters()}, net.optimizers(model))
    return model.state_dict(), before, log


def moved(after, before):
    names = [name for name in after if not torch.equal(after[name], before[name])]
    return {name.removeprefix("networks.").split(".")[0] for name in names}


@pytest.mark.parametrize("number", [5, 6])
def test_who_learns(net, number):
    after, before, log = stepped(net, 3, number)
    all_of_them = {name.split(".")[1] for name in before if name.startswith("networks.")}
    if number == 6:
        assert moved(after, before) == all_of_them | {"iteration"}
        assert set(log) == {"loss", "loss_discriminator"} | {f"loss_{n}" for n in PUBLISHED}
    else:
        assert moved(after, before) == {"appearance_encoder", "iteration"}
        assert set(log) == {"loss"} | REID
    assert log["loss"] == pytest.approx(sum(log.values()) - log["loss"], rel=1e-5)


def test_the_reid_network_learns_the_same_in_both_kinds_of_iteration(net):
    without, _, short = stepped(net, 3, 5)
    within, _, long = stepped(net, 1, 5)
    names = [name for name in without if ".appearance_encoder." in name]
    assert names and all(torch.equal(without[name], within[name]) for name in names)
    assert {name: short[name] for name in REID} == {name: long[name] for name in REID}


def test_it_is_a_number_of_iterations():
    assert prepare_config("dgnet/dgnet", ["recipe=paper"]).model.generator_interval == 1
    with pytest.raises(UserError, match="generator_interval"):
        prepare_config("dgnet/dgnet", ["model.generator_interval=0"])
