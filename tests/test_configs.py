"""Every shipped config with every recipe, every data set, and every plan of a table, checked."""

from __future__ import annotations

import pytest
import yaml

from reidkit.config import check_config, config_names, config_path, load_config, render
from reidkit.config.files import configs_folder
from reidkit.config.load import has_recipe
from reidkit.errors import UserError
from reidkit.plugin import discover

NAMES = sorted(config_names())
DATA = sorted(p.stem for p in (configs_folder() / "_base_/data").glob("[!_]*.py"))
PLANS = sorted(configs_folder().glob("*/reproduce.yaml"))
CASES = [(name, r) for name in NAMES for r in ("quick", "finetune", "paper") if has_recipe(name, r)]


def load(name: str, *overrides: str):
    cfg = load_config(name, overrides)
    assert [str(problem) for problem in check_config(cfg)] == []
    return cfg


def test_every_plugin_has_configs_and_every_config_both_recipes():
    shipped = [name for name, m in discover().plugins.items() if m.origin == "shipped"]
    assert shipped and {name.split("/")[0] for name in NAMES} >= set(shipped)
    assert {(n, r) for n in NAMES for r in ("quick", "paper")} <= set(CASES)
    without = {name for name in NAMES if (name, "finetune") not in CASES}
    # the generator learns from nothing; a run that is tuned already; networks without weights
    assert without == {
        *(name for name in NAMES if name.startswith("dgnet/") and name != "dgnet/teacher"),
        "eanet/pap_st_ps_spgan_cft", "jlml/late_concat", "jlml/no_sharing",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name, known",
    [("dgnet/dgnet_no_fine", "quick, long, paper"), ("jlml/no_sharing", "quick, paper")],
)
def test_a_recipe_that_is_ruled_out(name, known):
    text = f"^recipe=finetune: configs/{name}.py has no such recipe; it has: {known}$"
    with pytest.raises(UserError, match=text):
        load_config(name, ["recipe=finetune"])


@pytest.mark.parametrize("name", ["eanet/pap", "qaconv/qaconv_gs", "dgnet/teacher", "drsa/drsa"])
def test_another_backbone_to_tune(name):
    cfg = load(name, "recipe=finetune", "model.backbone=torchreid/osnet_x0_25")
    assert cfg.model.backbone.to_dict() == dict(type="torchreid/osnet_x0_25")
    assert cfg.train.freeze_layers == 4 and cfg.train.lr_mult == {"backbone.*": 0.5}


@pytest.mark.parametrize("name, recipe", CASES)
def test_config_has_no_problems_and_reads_back(name, recipe, tmp_path):
    cfg = load(name, f"recipe={recipe}")
    (tmp_path / "config.py").write_text(render(cfg))
    again = load_config(tmp_path / "config.py")
    assert again.to_dict() == cfg.to_dict() and render(again) == render(cfg)


@pytest.mark.parametrize("name", NAMES)
def test_header_says_how_to_run_and_to_change_it(name):
    lines = config_path(name).read_text().splitlines()
    comment = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    assert f"python tools/train.py configs/{name}.py" in "\n".join(comment)
    load(name, comment[-1].split()[-1])


@pytest.mark.parametrize("data", DATA)
def test_every_data_set_alone(data):
    cfg = load("eanet/pap", f"data={data}")
    assert cfg.groups.data == data and set(cfg.data.tests) <= set(cfg.data.domains)


@pytest.mark.parametrize("data", DATA)
def test_every_data_set_with_identities_held_out(data):
    plain, cfg = load("eanet/pap", f"data={data}"), load("eanet/pap", f"data={data}_val")
    assert cfg.data.name == f"{data}_val" and "source" in cfg.data.tests
    for name, node in cfg.data.domains.items():
        own = plain.data.domains[name].to_dict()
        held = name in ("source", "target", "source_styled")
        assert node.to_dict() == (dict(type="HeldOutIdentities", set=own) if held else own)


def domains(data: str, *overrides: str) -> dict:
    return load("eanet/pap_st_ps", f"data={data}", *overrides).data.to_dict()


def test_source_and_target_are_composed_of_two_sets():
    data = domains("market1501_to_dukemtmcreid")
    types = {name: one["type"] for name, one in data["domains"].items()}
    assert types == dict(
        source="Market1501", target="DukeMTMCreID", source_styled="Market1501",
        parts="CocoPersons", parts_styled="CocoPersons",
    )  # fmt: skip
    assert data["domains"]["source_styled"]["train_dir"] == "bounding_box_train_duke_style"
    assert data["domains"]["parts_styled"]["styled"] == "market1501"
    assert data["tests"] == ["source", "target"]
    assert data == domains("synthped", "data.source=market1501", "data.target=dukemtmcreid")
    assert data == domains("msmt17_to_dukemtmcreid", "data.source=market1501")


@pytest.mark.parametrize(
    "data, tests, target",
    [
        ("randperson_to_msmt17", ["target"], dict(type="MSMT17")),  # nothing to test on
        ("msmt17_all_to_market1501", ["target"], dict(type="Market1501")),
        ("clonedperson_to_market1501", ["source", "target"], dict(type="Market1501")),
        # as a target, VIPeR is tested on all its halves
        ("market1501_to_viper", ["source", "target"], dict(type="VIPeR", split=None)),
        ("synthped_to_market1501", ["source", "target"], dict(type="Market1501")),
    ],
)
def test_what_sets_say_of_themselves(data, tests, target):
    node = domains(data)
    assert (node["tests"], node["domains"]["target"]) == (tests, target)


def test_several_sets_are_joined():
    data = domains("synthped", "data.source=[market1501,msmt17]", "data.target=viper")
    assert data["name"] == "market1501+msmt17_to_viper"
    sets = [dict(type="Market1501"), dict(type="MSMT17")]
    assert data["domains"]["source"] == dict(type="JoinedSets", sets=sets)
    assert "parts_styled" not in data["domains"]  # made for one set's style
    assert data == domains("market1501+msmt17_to_viper")


def test_identities_are_held_out_of_composed_sets_too():
    data = domains("market1501+msmt17_to_viper_val")
    sets = [dict(type="Market1501"), dict(type="MSMT17")]
    joined = dict(type="JoinedSets", sets=sets)
    assert data["domains"]["source"] == dict(type="HeldOutIdentities", set=joined)
    # not on all its halves, which leave nobody to hold out
    viper = dict(type="VIPeR", split=0)
    assert data["domains"]["target"] == dict(type="HeldOutIdentities", set=viper)
    styled = domains("market1501_to_dukemtmcreid_val")["domains"]["source_styled"]
    assert styled["set"]["train_dir"] == "bounding_box_train_duke_style"
    options = ["data.domains.source.share=0.2", "data.domains.source.set.split=3"]
    source = load("eanet/pap", "data=cuhk01_val", *options).data.domains.source
    assert (source.share, source.set.split) == (0.2, 3)


def test_frames_and_protocols_come_with_the_set():
    cfg = load("qaconv/qaconv_gs", "data=mars", "train.sampler=ShuffleSampler")
    assert cfg.input.frames.test.type == "AllFrames"
    assert load("eanet/pcb", "data=market1501_mq").evaluation.protocol == "multi-query"


@pytest.mark.parametrize(
    "data, fact",
    [("market1501_to_dukemtmc", "did you mean 'dukemtmcreid'?"), ("market", "<a>_to_<b> joins")],
)
def test_unknown_sets(data, fact):
    with pytest.raises(UserError, match="^data") as error:
        load_config("eanet/pcb", [f"data={data}"])
    assert fact in str(error.value)


def test_a_saved_config_on_other_data(tmp_path):
    (tmp_path / "config.py").write_text(render(load("eanet/pap_s_ps")))
    other = load(str(tmp_path / "config.py"), "data.source=market1501", "data.target=grid")
    assert other.data.domains.target.type == "GRID" and other.groups.data == "market1501_to_grid"


@pytest.mark.parametrize(
    "key", ["input", "train.epochs", "train.sampler", "data.name", "data.tests"]
)
def test_keys_that_every_config_has(key):
    cfg = load_config("eanet/pcb").to_dict()
    node, _, last = key.rpartition(".")
    del (cfg[node] if node else cfg)[last]
    assert f"{key}: missing" in [str(problem) for problem in check_config(cfg)]


def test_a_key_without_which_nothing_is_meant():
    cfg = load("eanet/pcb", "~train.lr_mult", "~train.stages", "~train.load_from")
    assert not {"lr_mult", "stages", "load_from"} & set(cfg.train)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.parent.name)
def test_the_plan_of_a_table_names_configs_and_options_that_exist(path):
    plan = yaml.safe_load(path.read_text())
    assert len(plan["seeds"]) >= 3
    rows = set(plan["runs"])
    for name, one in plan["runs"].items():
        load(one["config"].removeprefix("configs/"), *one.get("overrides", []))
        for test, two in plan["retests"].items():
            if name in two["of"]:
                more = [*one.get("overrides", []), *two["overrides"]]
                load(one["config"].removeprefix("configs/"), *more)
                rows.add(f"{name}, {test}")
    named = [d[side] for d in plan["directions"] for side in ("better", "worse")]
    assert {part for name in named for part in name.split(" - ")} <= rows
    slugs = ["".join(c if c.isalnum() else "_" for c in row.lower()).strip("_") for row in rows]
    assert len(set(slugs)) == len(rows)


def test_a_hidden_band_comes_before_normalising():
    plan = yaml.safe_load((configs_folder() / "drsa/reproduce.yaml").read_text())
    (retest,) = plan["retests"].values()
    steps = load("drsa/drsa", *retest["overrides"]).model.transforms.test
    assert list(steps) == ["bands", "normalize"]
    plan = yaml.safe_load((configs_folder() / "eanet/reproduce.yaml").read_text())
    steps = load("eanet/pap", *plan["retests"]["lower quarter cut"]["overrides"]).model.transforms
    assert list(steps.test) == ["cut", "regions", "normalize"]
