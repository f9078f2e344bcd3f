"""Merging: who beats whom, what a file may say, and that a saved config reads back the same."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from yacs.config import CfgNode

from reidkit.config import ConfigError, load_config, render, resolve, stage_configs, with_keys
from reidkit.config.load import has_recipe
from reidkit.config.merge import merge
from reidkit.config.saved import read_saved
from reidkit.errors import UserError

METHOD = "configs/foo/method.py"


def refused(path: str, *overrides: str) -> str:
    with pytest.raises(UserError) as error:
        load_config(path, overrides)
    return str(error.value)


def test_precedence(tree):
    cfg = load_config(METHOD)
    assert isinstance(cfg, Config)
    assert cfg.train.epochs == 2  # recipe over default
    assert cfg.train.batch_size == 32  # default alone
    assert cfg.train.optimizer == dict(type="SGD", lr=0.1)  # merged key by key
    assert cfg.model.head == dict(
        type="PoolHead", pool="avg", dim=64
    )  # and what the config keeps for it
    assert cfg.data.name == "toy"


def test_own_keys_beat_groups_and_the_command_line_beats_all(tree):
    own = tree_method(
        tree, "train = dict(epochs=7, batch_size=8)\nmodel = dict(head=dict(dim=5))\n"
    )
    cfg = load_config(own, ["train.batch_size=9"])
    assert (cfg.train.epochs, cfg.train.batch_size, cfg.model.head.dim) == (7, 9, 5)
    assert cfg.train.optimizer.lr == 0.1  # what it does not say still comes from the recipe


def test_own_keys_beat_groups_where_they_equal_the_default(tree):
    own = tree_method(tree, "train = dict(epochs=60)\n")
    assert load_config(own).train.epochs == 60


def tree_method(tree, text: str) -> str:
    tree.write(foo__own='_base_ = "method.py"\n' + text)
    return "configs/foo/own.py"


def test_groups_on_the_command_line(tree):
    cfg = load_config(METHOD, ["recipe=paper"])
    assert (cfg.train.epochs, cfg.model.backbone.depth, cfg.groups.recipe) == (120, 50, "paper")
    assert "last_stride" not in cfg.model.backbone  # nothing of the quick recipe


def test_groups_in_the_config(tree):
    own = tree_method(tree, 'groups = dict(recipe="paper")\n')
    assert load_config(own).train.epochs == 120
    assert load_config(own, ["recipe=quick"]).train.epochs == 2


def test_a_recipe_beside_the_config_comes_before_the_common_one(tree):
    tree.write(foo__recipe__quick="train = dict(epochs=3)\n")
    assert load_config(METHOD).train.epochs == 3
    assert load_config(METHOD, ["recipe=paper"]).train.epochs == 120


def test_what_a_base_keeps_for_a_recipe_lies_below_the_keys_of_the_file(tree):
    own = tree_method(tree, "model = dict(head=dict(dim=5))\n")
    assert load_config(own).model.head.dim == 5
    tree_method(tree, "recipes = dict(paper=dict(model=dict(head=dict(dim=7))))\n")
    dims = [load_config(own, [f"recipe={name}"]).model.head.dim for name in ("quick", "paper")]
    assert dims == [64, 7]


def test_a_recipe_that_only_the_config_knows(tree):
    own = tree_method(tree, "recipes = dict(tiny=dict(train=dict(epochs=1)))\n")
    assert load_config(own, ["recipe=tiny"]).train.epochs == 1
    assert has_recipe(own, "tiny") and not has_recipe(METHOD, "tiny")
    assert "recipes" not in load_config(own)


def test_what_is_kept_for_a_recipe_is_a_dict(tree):
    own = tree_method(tree, "recipes = dict(quick=3)\n")
    assert refused(own) == f"{own}: recipes.quick: expected a dict of keys, got 3"


def test_none_leaves_a_role_out(tree):
    own = tree_method(tree, "model = dict(losses=dict(ps=None), matcher=None)\n")
    model = load_config(own).model
    assert list(model.losses) == ["id"] and model.matcher is None


def test_a_new_step_goes_before_the_one_that_follows_it(tree):
    own = tree_method(
        tree,
        'model = dict(transforms=dict(train=dict(cut=dict(type="Flip"), flip=dict(p=0.1),\n'
        '                                        last=dict(type="Flip"))))\n',
    )
    steps = load_config(own).model.transforms.train
    assert list(steps) == ["cut", "flip", "last"] and steps.flip == dict(type="Flip", p=0.1)


def test_unknown_group_value(tree):
    assert refused(METHOD, "recipe=papr") == (
        "recipe=papr: no such recipe; did you mean 'paper'?   available: paper, quick\n"
        "  looked for as configs/foo/recipe/papr.py"
    )


def test_without_any_recipe_the_message_says_where_one_would_lie(tmp_path):
    (tmp_path / "alone.py").write_text("model = dict()\n")
    with pytest.raises(UserError, match=r"available: finetune\n  looked for as .*recipe/quick\.py"):
        load_config(tmp_path / "alone.py")


def test_another_type_in_a_higher_layer_drops_the_options(tree):
    own = tree_method(tree, 'model = dict(backbone=dict(type="OSNet"))\n')
    assert load_config(own).model.backbone == dict(type="OSNet")


def test_delete(tree):
    own = tree_method(tree, "model = dict(losses=dict(_delete_=True, id=dict(weight=2.0)))\n")
    assert load_config(own).model.losses == dict(id=dict(weight=2.0))


def test_base_values_and_private_names(tree):
    own = tree_method(
        tree, "import math\n_half = 2\ntrain = dict(epochs=_base_.train.epochs // _half)\n"
    )
    cfg = load_config(own)
    assert cfg.train.epochs == 30 and "_half" not in cfg and "math" not in cfg


def test_by_name_and_suffix(tree):
    for name in ("foo/method", "configs/foo/method", "foo/method.py", METHOD):
        assert load_config(name).source == METHOD


def test_unknown_config_suggests(tree):
    assert refused("foo/metod") == (
        "foo/metod: no such config; did you mean 'foo/method'? available: foo/method"
    )


def test_an_error_in_a_config_names_file_and_line(tree):
    own = tree_method(tree, "train = dict(epochs=2)\nhooks = [unknown]\n")
    assert refused(own) == "configs/foo/own.py, line 3: NameError: name 'unknown' is not defined"


def test_a_missing_base(tree):
    tree.write(foo__own='_base_ = "gone.py"\n')
    assert refused("configs/foo/own.py") == (
        "configs/foo/own.py: _base_ configs/foo/gone.py does not exist"
    )


def test_files_that_name_each_other(tree):
    tree.write(foo__a='_base_ = "b.py"\n', foo__b='_base_ = "a.py"\n')
    assert refused("configs/foo/a.py") == (
        "configs/foo/a.py: _base_ leads back to the file itself: configs/foo/a.py -> "
        "configs/foo/b.py -> configs/foo/a.py"
    )


def test_only_plain_values(tree):
    own = tree_method(tree, "from pathlib import Path\ntrain = dict(root=Path())\n")
    assert refused(own) == (
        "configs/foo/own.py: train.root: a config holds numbers, text, None, lists and dicts; got "
        "PosixPath"
    )


def test_saved_config_reads_back_the_same(tree, tmp_path):
    cfg = load_config(METHOD, ["recipe=paper", "train.epochs=5", "model.backbone=OSNet"])
    saved = tmp_path / "config.py"
    saved.write_text(render(cfg))
    again = load_config(saved)
    assert render(again) == saved.read_text()
    assert (again.train.epochs, again.model.backbone.type) == (5, "OSNet")
    assert again.source == METHOD
    assert load_config(saved, ["train.epochs=6"]).train.epochs == 6


def test_saved_config_on_other_data(tree, tmp_path):
    tree.write(**{"_base_/data/other": 'data = dict(name="other", domains=dict(x=dict(type="A")))'})
    saved = tmp_path / "config.py"
    saved.write_text(render(load_config(METHOD)))
    cfg = load_config(saved, ["data=other"])
    assert cfg.data == dict(name="other", domains=dict(x=dict(type="A")))
    assert cfg.groups.data == "other"
    assert refused(str(saved), "recipe=paper") == (
        "recipe=paper: a saved config is resolved already; start from configs/foo/method.py"
    )


def test_a_saved_config_needs_no_original(tree, tmp_path):
    own = tree_method(tree, "train = dict(epochs=5)\n")
    saved = tmp_path / "config.py"
    saved.write_text(render(load_config(own)))
    (tmp_path / own).unlink()
    assert load_config(saved).train.epochs == 5
    assert load_config(saved, ["data=toy"]).data.name == "toy"
    tree.write(**{"_base_/data/other": 'data = dict(domains=dict(x=dict(type="A")), tests=[])'})
    assert load_config(saved, ["data=other"]).data.name == "other"


def test_settings_are_completed(tree):
    cfg = load_config(METHOD, ["settings.seed=3"])
    assert (cfg.settings.seed, cfg.settings.device) == (3, "auto")
    cfg = load_config(METHOD, ["plugins=['eanet']", "settings.eanet.confidence=1"])
    assert cfg.settings.eanet.confidence == 1


def test_refused_overrides_are_listed_together(tree):
    with pytest.raises(ConfigError) as error:
        load_config(METHOD, ["train.epoch=3", "~model.neck", "model.backbne.depth=3"])
    assert str(error.value) == (
        "configs/foo/method.py: 3 problems\n"
        " 1. train.epoch (command line): no such key; +key=value adds one\n"
        "      did you mean 'epochs'?   keys: batch_size, epochs, lr_mult, optimizer, sampler, "
        "schedule, stages\n"
        " 2. model.neck (command line): no such key to remove\n"
        "      keys: backbone, head, losses, matcher, transforms, type\n"
        " 3. model.backbne.depth (command line): no key 'backbne' in model\n"
        "      did you mean 'backbone'?   keys: backbone, head, losses, matcher, transforms, type"
    )


LEAVES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
KEYS = st.one_of(st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.sampled_from(["x/y", "for", "1"]))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=10),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=10),
    ),
    max_leaves=30,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(values=st.dictionaries(st.from_regex(r"k[a-z]{1,3}", fullmatch=True), TREES, max_size=4))
def test_what_is_rendered_reads_back_as_literals(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("saved") / "config.py"
    for text in (render(values), render(values, lambda path: "somewhere")):
        path.write_text(text)
        again = read_saved(path)
        assert again == values and list(again) == list(values)


def test_numbers_that_are_none(tmp_path):
    (tmp_path / "config.py").write_text(render(dict(a=[math.nan, -math.inf, math.inf])))
    nan, low, high = read_saved(tmp_path / "config.py")["a"]
    assert math.isnan(nan) and (low, high) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    "line",
    [
        "x = open('gone', 'w')",
        "import os",
        "x = [i for i in 'a']",
        "x = dict(**{'a': 1})",
        "x += 1",
    ],
)
def test_a_saved_config_is_not_executed(tree, tmp_path, line):
    saved = tmp_path / "config.py"
    saved.write_text(render(load_config(METHOD)) + line + "\n")
    text = refused(str(saved))
    assert "holds literals only and is not executed; got: " + line[:5] in text
    assert f"line {len(saved.read_text().splitlines())}" in text
    assert not (tmp_path / "gone").exists()


def test_where_each_value_comes_from(tree):
    own = tree_method(tree, "train = dict(batch_size=8)\n")
    resolved = resolve(own, ["train.epochs=5", "model.backbone=OSNet"])
    places = {
        "train.epochs": "command line",
        "train.batch_size": "configs/foo/own.py",
        "train.optimizer.lr": "configs/_base_/recipe/quick.py",
        "train.optimizer.type": "configs/_base_/default.py",
        "model.backbone.type": "command line",
        "model.head.dim": "configs/foo/method.py (recipes: quick)",
        "settings.seed": "default",
    }
    assert {key: resolved.origin(tuple(key.split("."))) for key in places} == places
    text = render(resolved.cfg, resolved.origin)
    assert "    epochs=5,  # command line\n" in text
    assert 'type="OSNet"' in text and text.index("type=") < text.index("backbone=")
    assert "command line: model.backbone, train.epochs" in resolved.summary()


def test_settings_are_a_frozen_node_that_survives_copying(tree):
    cfg = load_config(METHOD, ["settings.seed=3"])
    for copied in (cfg, copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg)), with_keys(cfg, a=1)):
        assert isinstance(copied.settings, CfgNode) and copied.settings.is_frozen()
        assert copied.settings.seed == 3 and copied.to_dict()["settings"]["seed"] == 3
        with pytest.raises(AttributeError):
            copied.settings.seed = 4


def test_a_stage_of_another_optimiser_keeps_nothing_of_the_first(tree):
    stages = dict(
        one={},
        two=dict(optimizer=dict(type="AdamW", lr=0.1), batch_size=4),
        three=dict(optimizer=dict(lr=0.5)),
    )
    own = tree_method(tree, f"train = dict(optimizer=dict(momentum=0.9), stages={stages!r})\n")
    one, two, three = stage_configs(load_config(own))
    assert one.train.optimizer == dict(type="SGD", lr=0.1, momentum=0.9)
    assert two.train.optimizer == dict(type="AdamW", lr=0.1)
    assert three.train.optimizer == dict(type="SGD", lr=0.5, momentum=0.9)  # of the first, not two
    assert (one.train.batch_size, two.train.batch_size, two.train.epochs) == (32, 4, 2)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=5), st.dictionaries(KEYS, TREES, max_size=5))
@pytest.mark.slow
def test_merge_keeps_its_arguments(low, high):
    before = copy.deepcopy((low, high))
    merged = merge(low, high)
    assert (low, high) == before
    assert set(merged) == set(low) | set(high)
    assert merge(merged, high) == merged


@pytest.mark.parametrize(
    "text, said",
    [
        ("import sys\nsys.exit(0)\n", "foo/own.py, line 2: SystemExit"),
        ("train = dict(epochs={{_base_.train.epochs}})\n", "line 1: templates such as {{_base_."),
        ("_base_ = 5\n", "line 1: _base_ must be a path or a list of paths"),
        ("_base_ = [5]\n", "line 1: _base_ must be a path or a list of paths"),
        ("_base_ = None\n", "line 1: _base_ must be a path or a list of paths"),
    ],
)  # fmt: skip
def test_files_that_are_no_config_are_refused_with_their_line(tree, components, text, said):
    tree.write(foo__own=text)
    with pytest.raises(UserError) as error:
        load_config("foo/own")
    assert said in str(error.value)


def test_a_byte_order_mark_is_no_syntax_error(tree, components):
    tree.write(foo__own="\ufeff_base_ = 'method.py'\n")
    assert load_config("foo/own").train.epochs == load_config("foo/method").train.epochs


@pytest.mark.parametrize("number", ["1" + 400 * "0", "-(2**63) - 1", "10**5000"])
def test_a_number_of_more_than_64_bits(tree, components, number):
    tree.write(foo__big=f'_base_ = "method.py"\ntrain = dict(epochs=[{number}])\n')
    with pytest.raises(UserError, match=r"big.py: train.epochs.0: a number of \d+ bits; 64 is"):
        load_config("foo/big")
