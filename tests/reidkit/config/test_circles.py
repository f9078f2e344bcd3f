"""A config that needs itself would wait for its own lock for ever; it is refused in words."""

import pytest

from reidkit.config import ConfigError, prepare_config


def problems(config: str, *overrides: str) -> list[str]:
    try:
        prepare_config(config, overrides)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_config_that_needs_itself(tree, components):
    (text,) = problems("foo/method", "+prerequisites.t=dict(config='foo/method')")
    assert text == (
        "prerequisites.t (command line): it needs itself and would wait for ever: "
        "foo/method -> foo/method\n"
        "      name a finished run with prerequisites.t.run, or another config"
    )


def test_a_circle_by_way_of_others(tree, components):
    tree.write(
        foo__a='_base_ = "method.py"\nprerequisites = dict(t=dict(config="foo/b"))\n',
        foo__b='_base_ = "method.py"\nprerequisites = dict(u=dict(config="foo/c"))\n',
        foo__c='_base_ = "method.py"\nprerequisites = dict(v=dict(config="foo/a"))\n',
        foo__d='_base_ = "method.py"\nprerequisites = dict(v=dict(config="foo/b"))\n',
    )
    (text,) = problems("foo/a")
    assert "foo/a -> foo/b -> foo/c -> foo/a" in text
    (text,) = problems("foo/d")  # not in the circle, and waits for it all the same
    assert text.startswith("prerequisites.v") and "foo/b -> foo/c -> foo/a -> foo/b" in text


@pytest.mark.parametrize(
    "need", ["dict(config='foo/e')", "dict(config='foo/method', run='runs/x')"]
)
def test_a_chain_and_a_finished_run_are_no_circle(tree, components, need):
    tree.write(foo__e='_base_ = "method.py"\n')
    assert problems("foo/method", f"+prerequisites.t={need}") == []
