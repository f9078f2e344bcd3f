"""Config files as people write them outside the shipped tree, and as accidents leave them."""

from __future__ import annotations

import os

import pytest

from reidkit.config import ConfigError, load_config, prepare_config
from reidkit.config.files import config_path, configs_folder
from reidkit.errors import UserError

BASE = f"_base_ = ['{configs_folder().resolve()}/eanet/global_pool.py']\n"


@pytest.fixture
def file(tmp_path):
    """``file(text)``: a config in a folder that has nothing else."""

    def write(text: str | bytes, name: str = "own.py"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("recipe", ["quick", "paper"])
def test_a_config_anywhere_has_the_recipes_of_its_base(file, recipe):
    own = file(BASE + "train = dict(clip_grad=3.0)\n")
    cfg = load_config(own, [f"recipe={recipe}"])
    shipped = load_config("eanet/global_pool", [f"recipe={recipe}"])
    assert cfg.train.clip_grad == 3.0 and cfg.groups.recipe == recipe
    assert {**cfg.train, "clip_grad": None} == dict(shipped.train) and cfg.input == shipped.input


def test_a_recipe_beside_the_config_comes_first(file, tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "quick.py").write_text("train = dict(epochs=77)\n")
    assert load_config(file(BASE)).train.epochs == 77


def test_an_unknown_recipe_lists_those_of_the_base(file):
    with pytest.raises(
        UserError, match=r"recipe=quik: no such recipe; did you mean 'quick'\?.*pap"
    ):
        load_config(file(BASE), ["recipe=quik"])


def test_without_a_base_the_message_says_where_a_recipe_is_looked_for(file, tmp_path):
    own = file("model = dict(type='ReIDModel')\n")
    with pytest.raises(UserError, match=f"looked for as {tmp_path}/recipe/quick.py"):
        load_config(own)


@pytest.mark.parametrize(
    "text, words",
    [
        ("_base_ = 5\n", "line 1: _base_ must be a path or a list of paths"),
        ("_base_ = [5]\n", "_base_ must be a path"),
        ("_base_ = None\n", "_base_ must be a path"),
        ("_base_ = {[]: 1}\n", "_base_ must be a path"),
        (f"_base_ = '{'x' * 5000}.py'\n", "does not exist"),
        ("_base_ = 'a\\0b.py'\n", "_base_ must be a path"),
        ("_base_ = 'own.py'\n", "leads back to the file itself"),
        (BASE + "groups = 5\n", "groups: expected names as in .*; got 5"),
        (BASE + "groups = dict(data=5, recipe='quick')\n", "groups: expected names"),
        (BASE + "recipes = 5\n", "recipes: expected dicts of keys by recipe, got 5"),
        (BASE + "recipes = dict(quick=[1])\n", r"recipes.quick: expected a dict .* \[1\]"),
        (BASE + "train = dict()\ntrain['train'] = train\n", "train: holds itself, or nests too"),
        (BASE + "hooks = []\nhooks.append(hooks)\n", "hooks: holds itself"),
        (BASE + f"hooks = {'[' * 90}{']' * 90}\n", "hooks: expected a dict"),
        (BASE + "import sys\nsys.exit(0)\n", "line 3: SystemExit: 0"),
        (BASE + "train = dict(epochs={{_base_.train.epochs}})\n", "line 2: templates such as"),
        (BASE + "train = dict(load_from='{{ fileDirname }}/a')\n", "templates such as"),
        (BASE + "lr = 0.1\n", "lr: unknown key 'lr'"),
        (BASE + "text = 'mine'\n", "text: unknown key 'text'"),
        (BASE + "filename = 3\n", "filename: unknown key 'filename'"),
        (BASE + "train = dict(epochs=1 + )\n", "line 2: SyntaxError"),
        (BASE + "train = 1 / 0\n", "line 2: ZeroDivisionError"),
        (BASE + "train = dict(epochs={1, 2})\n", "a config holds numbers, text"),
        (b"\xff\xfe\x00t", "UnicodeDecodeError"),
        (b"a\x00b", "ValueError|SyntaxError"),
        ("x = " + "(" * 2000 + ")" * 2000, "MemoryError|RecursionError|SyntaxError"),
    ],
)  # fmt: skip
def test_what_no_config_can_be(file, text, words):
    with pytest.raises(UserError, match=words):
        prepare_config(file(text))


def test_a_byte_order_mark_and_dots_in_the_name_do_no_harm(file):
    own = file(b"\xef\xbb\xbf" + BASE.encode(), "my.own.v2.py")
    assert load_config(own).model.type == "ReIDModel"


def test_modules_functions_and_hidden_names_are_the_files_own(file):
    own = file(BASE + "import os\n_lr = 0.5\ndef f(): ...\ntrain = dict(optimizer=dict(lr=_lr))\n")
    assert load_config(own).train.optimizer.lr == 0.5


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "", ".", "/dev/zero", "eanet/" + "y" * 300])
def test_names_that_no_config_has(name):
    with pytest.raises(UserError, match="no such config"):
        config_path(name)


@pytest.mark.parametrize("group", ["data", "recipe", "data.source"])
@pytest.mark.parametrize(
    "value", ["x" * 5000, "a\0b", "5", "None", "[]", "+", "_to_", "a_to_", ".."]
)
def test_values_of_groups_that_do_not_exist(group, value):
    with pytest.raises(UserError, match="no such|no data set|saved config"):
        load_config("eanet/global_pool", [f"{group}={value}"])


def test_a_pipe_is_no_config(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(UserError, match="no such config"):
        load_config(tmp_path / "pipe.py")


@pytest.mark.parametrize("depth", [300, 5000])
def test_values_that_nest_too_deeply(depth):
    value = "[" * depth + "]" * depth
    with pytest.raises((UserError, ConfigError), match="nest too deeply|expected"):
        prepare_config("eanet/global_pool", [f"hooks={value}"])
