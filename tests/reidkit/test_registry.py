"""The strict registry."""

from __future__ import annotations

import os

import pytest
from torch import nn

from reidkit.registry import REGISTRIES, Registry, registering


@pytest.fixture
def greetings():
    return Registry("greeting", "a callable that greets", supplies=("name", "times"))


class Hello:
    def __init__(self, name: str = "you", times: int = 1):
        self.name, self.times = name, times


def test_contract_is_the_documentation(greetings):
    assert greetings.__doc__ == "a callable that greets"
    assert all(registry.__doc__ and registry.scope == "reidkit" for registry in REGISTRIES.values())


def test_options_win_over_what_is_supplied(greetings):
    greetings.register_module(module=Hello)
    built = greetings.build(dict(type="Hello", times=2), dict(name="Ada", times=9))
    assert (built.name, built.times) == ("Ada", 2)


@pytest.mark.parametrize("supply", [{}, dict(name="Ada"), dict(name="Ada", times=1, mood="good")])
def test_a_supply_has_exactly_the_names_of_the_kind(greetings, supply):
    greetings.register_module(module=Hello)
    with pytest.raises(TypeError) as error:
        greetings.build(dict(type="Hello"), supply)
    said = f"greeting: the kind supplies ['name', 'times'], got {sorted(supply)}"
    assert str(error.value) == said


def test_what_is_not_known_leaves_the_default(greetings):
    class Needs(Hello):
        def __init__(self, name, times: int = 3):
            super().__init__(name, times)

    for component in (Hello, Needs):
        greetings.register_module(module=component)
    nothing = dict(name=None, times=None)
    built = greetings.build(dict(type="Hello"), nothing)
    assert (built.name, built.times) == ("you", 1)
    built = greetings.build(dict(type="Needs"), nothing)
    assert (built.name, built.times) == (None, 3), "without a default, None is what there is"


def test_a_component_that_declares_nothing_is_supplied_nothing(greetings):
    class Quiet:
        def __init__(self, volume: int = 0):
            self.volume = volume

    greetings.register_module(module=Quiet)
    assert greetings.build(dict(type="Quiet"), dict(name="Ada", times=9)).volume == 0


def test_no_overwriting(greetings):
    greetings.register_module(module=Hello)
    with pytest.raises(KeyError, match=r"greeting 'Hello' is registered twice: .*:\d+ and .*:\d+"):
        greetings.register_module(module=Hello)
    with pytest.raises(ValueError, match="greeting Hello: force is not allowed"):
        greetings.register_module(module=Hello, force=True)


@pytest.mark.parametrize("star", ["*options", "**options"])
def test_open_signatures_are_refused(greetings, star):
    scope: dict = {"__name__": "elsewhere"}
    exec(f"class Open:\n    def __init__(self, {star}): ...", scope)
    with pytest.raises(TypeError) as error:
        greetings.register_module(module=scope["Open"])
    assert str(error.value) == (
        "greeting Open: the constructor takes *options; name every option, or misspelt options "
        "cannot be found"
    )
    assert greetings.names() == []


def test_an_inherited_open_constructor_says_so(greetings):
    class Bare(nn.Module):
        pass

    with pytest.raises(TypeError, match=r"takes \*args; that is inherited; write one of its own"):
        greetings.register_module(module=Bare)


def test_unknown_names_suggest_and_are_never_imported(greetings):
    greetings.register_module(module=Hello)
    with pytest.raises(KeyError) as error:
        greetings.build(dict(type="Helo"))
    assert error.value.args[0] == (
        "no greeting named 'Helo'; did you mean 'Hello'? available: Hello"
    )
    with pytest.raises(KeyError, match="no greeting named 'os.path.join'"):
        greetings.build(dict(type="os.path.join"))
    with pytest.raises(TypeError, match="type must be a name"):
        greetings.build(dict(type=os.path.join))


def test_wrong_options_list_the_right_ones(greetings):
    greetings.register_module(module=Hello)
    with pytest.raises(TypeError) as error:
        greetings.build(dict(type="Hello", nam="Ada"))
    assert str(error.value) == (
        "greeting Hello: got an unexpected keyword argument 'nam'; options: none"  # all supplied
    )
    free = Registry("greeting", "without supplies")
    free.register_module(module=Hello)
    with pytest.raises(TypeError) as error:
        free.build(dict(type="Hello", nam="Ada"))
    assert str(error.value).endswith("options: name: 'str' = 'you', times: 'int' = 1")
    with pytest.raises(TypeError, match="expected a dict with 'type'"):
        greetings.build(dict(name="Ada"))


def test_prefix_is_set_by_the_loader(greetings):
    with registering("polite/"):
        greetings.register_module(module=Hello)
    assert greetings.names() == ["polite/Hello"]
    assert isinstance(greetings.build(dict(type="polite/Hello")), Hello)


def test_prefix_follows_from_the_module_of_a_plugin(greetings):
    shipped = type("Hello", (Hello,), {"__module__": "reidkit_plugins.polite.words"})
    core = type("Core", (Hello,), {"__module__": "reidkit.words"})
    with registering("other/"):
        greetings.register_module(module=shipped)
        greetings.register_module(module=core)
    assert greetings.names() == ["Core", "polite/Hello"]


def test_names_of_the_runner_are_found_in_its_root():
    import mmengine.dataset  # registers it

    assert REGISTRIES["samplers"].get("DefaultSampler") is mmengine.dataset.DefaultSampler
