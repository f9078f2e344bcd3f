"""What a backbone gives: features of three kinds, and the one that a head takes."""

import pytest

from reidkit.structures import FeatureSpec, FeatureSpecs, pick_feature

MAP, DEEP = FeatureSpec(8, 16), FeatureSpec(16, (32, 16))
TOKENS, TOKEN = FeatureSpec(8, kind="tokens"), FeatureSpec(8, kind="vector")
ALL = {"map": MAP, "deep": DEEP, "tokens": TOKENS, "class": TOKEN}


@pytest.mark.parametrize(
    "default, kinds, name, taken",
    [
        (None, ("map", "vector"), None, "class"),  # the last one is the default
        ("map", ("map", "vector"), None, "map"),
        ("map", ("vector",), None, "class"),  # the default is of another kind
        ("class", ("map",), None, "deep"),  # the last one that is
        ("class", ("map", "tokens"), None, "tokens"),
        ("class", ("map", "vector"), "map", "map"),  # by name
    ],
)
def test_which_feature_a_head_takes(default, kinds, name, taken):
    assert FeatureSpecs(ALL, default).pick(*kinds, name=name) == taken
    assert pick_feature(FeatureSpecs(ALL, default), *kinds, name=name) == taken


def test_the_default_of_a_plain_mapping_is_its_last():
    assert pick_feature(ALL, "map", "vector") == "class" and pick_feature(ALL, "map") == "deep"


@pytest.mark.parametrize(
    "kinds, name, text",
    [
        (("map",), "layer9", r"no map named 'layer9'; the backbone gives map \(map\), deep"),
        (("map",), "class", r"no map named 'class'; the backbone gives .*class \(vector\)"),
        (("vector",), None, r"wants a vector; the backbone gives only map \(map\)"),
    ],
)
def test_what_the_backbone_does_not_give_is_refused(kinds, name, text):
    specs = {"map": MAP} if name is None else ALL
    with pytest.raises(ValueError, match=text):
        pick_feature(specs, *kinds, name=name)


def test_the_default_must_be_one_of_them():
    with pytest.raises(ValueError, match="no feature 'layer9' among"):
        FeatureSpecs(ALL, "layer9")


@pytest.mark.parametrize("options", [dict(), dict(stride=16, kind="tokens"), dict(kind="grid")])
def test_maps_have_a_stride_and_nothing_else_has(options):
    with pytest.raises(ValueError, match="FeatureSpec"):
        FeatureSpec(8, **options)


def test_cells_of_a_map_are_rounded_up():
    assert MAP.map_size((250, 120)) == (16, 8) and DEEP.map_size((64, 40)) == (2, 3)
    with pytest.raises(ValueError, match="tokens have no map size"):
        TOKENS.map_size((64, 32))
