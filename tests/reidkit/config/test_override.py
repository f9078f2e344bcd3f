"""Overrides on a plain tree."""

from __future__ import annotations

import pytest

from reidkit.config.override import apply_overrides, parse_override, parse_value


def start() -> dict:
    return dict(
        model=dict(
            type="Model",
            backbone=dict(type="ResNet", depth=18, last_stride=1),
            transforms=dict(train=dict(flip=dict(type="Flip", p=0.5))),
            losses=dict(id=dict(domain="source", weight=1, loss=dict(type="Triplet", margin=0.3))),
        ),
        train=dict(
            epochs=12, lr=0.1, amp=True, size=(64, 32), schedule=None, note="a", milestones=[10, 20]
        ),
        data=dict(domains=dict(source=dict(type="Market1501"))),
    )


def run(*texts: str):
    tree = start()
    return tree, apply_overrides(tree, [parse_override(text) for text in texts])


def why(text: str) -> str:
    tree, done = run(text)
    assert tree == start()
    (problem,) = done.problems
    return str(problem)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1), ("1.5", 1.5), ("1e-3", 0.001), ("-2", -2), ("[1, 'a']", [1, "a"]),
        ("1,2", (1, 2)), ("'1'", "1"), ("a b", "a b"), ("", ""), ("[1", "[1"), ("{1:", "{1:"),
        ("{'a': 1}", {"a": 1}), ("dict(type='A', x=dict(y=1))", {"type": "A", "x": {"y": 1}}),
        ("dict(**x)", "dict(**x)"), ("open('x')", "open('x')"), ("eanet/PAPHead", "eanet/PAPHead"),
        ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_values(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


@pytest.mark.parametrize("text", ["epochs", "+epochs", "~a=1", "=1", "a..b=1", "++a=1"])
def test_no_override(text):
    with pytest.raises(ValueError, match="is no override; write key=value, \\+key=value or ~key"):
        parse_override(text)


def test_set_add_remove():
    tree, done = run("train.epochs=4", "+train.clip.max=10", "~model.losses.id", "train.lr=1")
    assert not done.problems
    assert (tree["train"]["epochs"], tree["train"]["clip"]) == (4, {"max": 10})
    assert tree["model"]["losses"] == {}
    assert type(tree["train"]["lr"]) is float and tree["train"]["lr"] == 1.0
    assert ("train", "clip", "max") in done.paths


def test_steps_by_name():
    tree, done = run(
        "model.transforms.train.flip.p=1", "+model.transforms.train.erase=RandomErasing"
    )
    steps = tree["model"]["transforms"]["train"]
    assert steps == dict(flip=dict(type="Flip", p=1.0), erase=dict(type="RandomErasing"))
    tree, done = run("~model.transforms.train.flip")
    assert tree["model"]["transforms"]["train"] == {} and not done.problems


def test_items_of_lists_by_number():
    tree, done = run("train.milestones.1=30", "+train.milestones.2=40", "~train.milestones.0")
    assert tree["train"]["milestones"] == [30, 40] and not done.problems


def test_swap_drops_and_says():
    tree, done = run("model.backbone=OSNet")
    assert tree["model"]["backbone"] == dict(type="OSNet")
    assert done.notices == ["model.backbone: ResNet -> OSNet, dropped depth, last_stride"]


def test_swap_then_options():
    tree, done = run("model.backbone=OSNet", "model.backbone.width=0.5", "model.backbone.depth=3")
    assert tree["model"]["backbone"] == dict(type="OSNet", width=0.5, depth=3)  # the check refuses
    assert not done.problems


def test_options_then_swap():
    tree, _ = run("model.backbone.depth=50", "model.backbone=OSNet")
    assert tree["model"]["backbone"] == dict(type="OSNet")


def test_swap_by_type_and_of_a_plugin():
    tree, done = run("model.losses.id.loss.type=eanet/VisibleIDLoss")
    assert tree["model"]["losses"]["id"]["loss"] == dict(type="eanet/VisibleIDLoss")
    assert done.notices == ["model.losses.id.loss: Triplet -> eanet/VisibleIDLoss, dropped margin"]


def test_the_same_name_keeps_the_options():
    tree, done = run("model.backbone=ResNet")
    assert tree == start() and not done.notices


def test_a_dict_replaces_a_component():
    tree, _ = run("model.backbone=dict(type='OSNet', width=2)")
    assert tree["model"]["backbone"] == dict(type="OSNet", width=2)


def test_a_schedule_is_a_component_or_a_list():
    one, several = dict(type="one_cycle"), [dict(type="LinearLR", end=5)]
    for old, new in ((one, several), (several, one)):
        tree = dict(train=dict(schedule=old))
        done = apply_overrides(tree, [parse_override(f"train.schedule={new}")])
        assert not done.problems and tree["train"]["schedule"] == new


def test_a_dict_of_the_same_type_is_merged():
    tree, done = run("model.backbone=dict(depth=50)", "model.losses.id.loss=dict(type='Triplet')")
    assert tree["model"]["backbone"] == dict(type="ResNet", depth=50, last_stride=1)
    assert tree["model"]["losses"]["id"]["loss"] == dict(type="Triplet", margin=0.3)
    assert ("model", "backbone", "depth") in done.paths


def test_a_name_at_an_empty_place_is_a_component():
    tree, done = run("model.matcher=Cosine")
    assert tree["model"]["matcher"] == dict(type="Cosine") and not done.problems


def test_none_fits_and_takes_everything():
    tree, done = run("train.lr=None", "train.schedule=dict(type='step')")
    assert not done.problems
    assert (tree["train"]["lr"], tree["train"]["schedule"]) == (None, dict(type="step"))


def test_lists_stand_for_tuples():
    tree, _ = run("train.size=[128, 64]")
    assert tree["train"]["size"] == (128, 64)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "train.epochs=many",
            "train.epochs (command line): expected int such as 12, got 'many' (text)",
        ),
        (
            "train.epochs=True",
            "train.epochs (command line): expected int such as 12, got True (bool)",
        ),
        ("train.amp=1", "train.amp (command line): expected bool such as True, got 1 (int)"),
        (
            "train.amp=false",
            "train.amp (command line): expected bool such as True, got 'false' (text)\n"
            "      write False",
        ),
        ("train.note=3", "train.note (command line): expected text, got 3 (int)"),
        (
            "train.size=64",
            "train.size (command line): expected tuple such as (64, 32), got 64 (int)",
        ),
        (
            "model.backbone=3",
            "model.backbone (command line): expected a component such as ResNet, got 3 (int)",
        ),
        (
            "train.lr.x=3",
            "train.lr.x (command line): train.lr is 0.1 and has no keys",
        ),
        (
            "+train.lr=3",
            "train.lr (command line): exists already; write key=value without the +",
        ),
        (
            "trian.lr=3",
            "trian.lr (command line): no key 'trian' in the config\n"
            "      did you mean 'train'?   keys: data, model, train",
        ),
        (
            "train.milestones.4.p=1",
            "train.milestones.4.p (command line): no key '4' in train.milestones\n"
            "      items: 0 to 1",
        ),
    ],
)
def test_refusals(text, said):
    assert why(text) == said


def test_a_fraction_for_a_whole_number_is_left_to_the_signature():
    tree, done = run("model.losses.id.weight=0.5")
    assert tree["model"]["losses"]["id"]["weight"] == 0.5 and not done.problems


def patterns(*texts: str):
    tree = start()
    tree["train"] = dict(
        lr_mult={"*": 2.0, "backbone.*": 1.0, "backbone.conv1.*": 0.0},
        decay_mult={"backbone.conv1.weight": 0.0, "*.bias": 0.0},
        freeze=["backbone", "backbone.conv1"],
        stages=dict(one=dict(epochs=2), two=dict(freeze=["backbone.layer1", "head"], epochs=3)),
    )
    done = apply_overrides(tree, [parse_override(text) for text in texts])
    assert done.problems == []
    return tree["train"], done.notices


@pytest.mark.parametrize(
    "text",
    ["model.backbone=OSNet", "model.backbone.type=OSNet", "model.backbone=dict(type='OSNet')"],
)
def test_patterns_for_the_old_part_go_with_it(text):
    train, notices = patterns(text)
    assert train["lr_mult"] == {"*": 2.0, "backbone.*": 1.0}
    assert train["decay_mult"] == {"*.bias": 0.0}
    assert train["freeze"] == ["backbone"] and train["stages"]["two"]["freeze"] == ["head"]
    assert notices[-4:] == [
        "train.lr_mult: dropped backbone.conv1.*, of the old model.backbone",
        "train.decay_mult: dropped backbone.conv1.weight, of the old model.backbone",
        "train.freeze: dropped backbone.conv1, of the old model.backbone",
        "train.stages.two.freeze: dropped backbone.layer1, of the old model.backbone",
    ]


@pytest.mark.parametrize("text", ["model.backbone=ResNet", "model.backbone.depth=50"])
def test_the_same_part_keeps_its_patterns(text):
    train, notices = patterns(text)
    assert train == patterns()[0] and notices == []


def test_patterns_of_the_command_line_stay():
    train, _ = patterns(
        "train.decay_mult={'backbone.fc.weight': 0.5}", "train.freeze=['backbone.layer2']",
        "model.backbone=OSNet",
    )  # fmt: skip
    assert train["decay_mult"] == {"*.bias": 0.0, "backbone.fc.weight": 0.5}
    assert train["freeze"] == ["backbone.layer2"]
