"""Values that config files keep for one recipe or another, under ``recipes``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reidkit.config.files import Layer
from reidkit.errors import UserError


def recipe_names(layers: Sequence[Layer]) -> list[str]:
    """Recipes that config files keep values for.

    Args:
        layers: lowest first.

    Raises:
        UserError: ``recipes`` is no dict of dicts.
    """
    for one in layers:
        recipes = one.keys.get("recipes", {})
        if not isinstance(recipes, dict):
            raise UserError(
                f"{one.label}: recipes: expected dicts of keys by recipe, got {recipes!r:.80}"
            )
        for name, values in recipes.items():
            if not isinstance(values, dict) and values is not None:
                raise UserError(
                    f"{one.label}: recipes.{name}: expected a dict of keys, got {values!r:.80}"
                )
    names = dict.fromkeys(str(name) for one in layers for name in one.keys.get("recipes", {}))
    return [name for name in names if not ruled_out(layers, name)]


def ruled_out(layers: Sequence[Layer], recipe: str) -> bool:
    """Whether a file has None in place of its values: it has no such recipe, nor do its heirs.

    Args:
        layers: of a config, lowest first.
        recipe: its name.
    """
    return any(one.keys.get("recipes", {}).get(recipe, {}) is None for one in layers)


def with_recipe(layers: Sequence[Layer], recipe: str) -> Iterator[Layer]:
    """Each file's keys, then those it keeps for the recipe.

    Args:
        layers: lowest first.
        recipe: its name.
    """
    for one in layers:
        yield Layer(one.path, {k: v for k, v in one.keys.items() if k != "recipes"})
        values = one.keys.get("recipes", {}).get(recipe, {})
        if values:
            yield Layer(one.path, values, f"(recipes: {recipe})")
