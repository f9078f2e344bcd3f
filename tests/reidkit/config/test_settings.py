"""The closed set of settings."""

from __future__ import annotations

import pytest
from yacs.config import CfgNode

from reidkit.config import resolve_settings
from reidkit.config.settings import CORE, known_settings, settings_problems


def test_every_setting_is_explained():
    assert all(setting.help for setting in CORE.values())


def test_resolved_settings_are_a_frozen_node_and_hold_the_plugins():
    settings, problems = resolve_settings(dict(seed=2, eanet=dict(confidence=1)), ["eanet"])
    assert isinstance(settings, CfgNode) and problems == []
    assert (settings.seed, settings.device, settings.eanet.confidence) == (2, "auto", 1.0)
    with pytest.raises(AttributeError):
        settings.seed = 3


def test_what_does_not_fit_is_listed_and_left_at_its_default():
    settings, problems = resolve_settings(dict(sead=1, workers="many"), [])
    assert settings.workers == 2 and "sead" not in settings
    assert [problem.where for problem in problems] == ["settings.sead", "settings.workers"]


@pytest.mark.parametrize(
    "given, said",
    [
        (dict(seed=1.5), "settings.seed: expected int, got 1.5 (float)"),
        (dict(seed=True), "settings.seed: expected int, got True (bool)"),
        (dict(ema="true"), "settings.ema: expected bool, got 'true' (str); write True"),
        (dict(eanet=3), "settings.eanet: expected a dict of eanet's settings, got 3"),
        (
            dict(eanet=dict(confidnce=1)),
            "settings.eanet.confidnce: no setting named 'confidnce'\n"
            "      did you mean 'confidence'?   settings: confidence",
        ),
    ],
)
def test_refusals(given, said):
    (problem,) = settings_problems(given, known_settings(["eanet"]))
    assert str(problem).startswith(said)


def test_settings_of_a_plugin_that_is_not_loaded():
    (problem,) = settings_problems(dict(eanet=dict(confidence=1)), known_settings([]))
    assert str(problem).startswith("settings.eanet: no setting named 'eanet'")
