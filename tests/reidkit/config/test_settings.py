"""The closed set of settings."""

from __future__ import annotations

import pytest
from yacs.config import CfgNode

from reidkit.config import core_settings, resolve_settings
from reidkit.config.settings import CORE, complete_settings, settings_problems


def test_core_settings_is_a_yacs_node():
    node = core_settings()
    assert isinstance(node, CfgNode)
    assert (node.seed, node.device, node.data_root) == (0, "auto", "data")
    assert all(setting.help for setting in CORE.values())


def test_resolved_settings_are_frozen_and_hold_the_plugins():
    settings = resolve_settings(dict(seed=2, eanet=dict(confidence=1)), ["eanet"])
    assert (settings.seed, settings.eanet.confidence) == (2, 1.0)
    with pytest.raises(AttributeError):
        settings.seed = 3


def test_completing_keeps_what_does_not_fit():
    assert complete_settings(dict(sead=1), [])["sead"] == 1
    assert complete_settings(dict(eanet=dict(conf=1)), ["eanet"])["eanet"]["conf"] == 1
    assert complete_settings(dict(eanet=3), ["eanet"])["eanet"] == 3


def test_completing_twice_changes_nothing():
    once = complete_settings(dict(seed=3, sead=1), ["eanet"])
    assert complete_settings(once, ["eanet"]) == once


@pytest.mark.parametrize(
    "given, said",
    [
        (dict(seed=1.5), "settings.seed: expected int, got 1.5 (float)"),
        (dict(seed=True), "settings.seed: expected int, got True (bool)"),
        (dict(wandb="true"), "settings.wandb: expected bool, got 'true' (str); write True"),
        (dict(eanet=3), "settings.eanet: expected a dict of eanet's settings, got 3"),
        (
            dict(eanet=dict(confidnce=1)),
            "settings.eanet.confidnce: no setting named 'confidnce'\n"
            "      did you mean 'confidence'?   settings: confidence",
        ),
    ],
)
def test_refusals(given, said):
    (problem,) = settings_problems(given, ["eanet"])
    assert str(problem).startswith(said)


def test_settings_of_a_plugin_that_is_not_loaded():
    (problem,) = settings_problems(dict(eanet=dict(confidence=1)), [])
    assert str(problem).startswith("settings.eanet: no setting named 'eanet'")
