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
            if not isinstance(values, dict):
                raise UserError(
                    f"{one.label}: recipes.{name}: expected a dict of keys, got {values!r:.80}"
                )
    return [str(name) for one in layers for name in one.keys.get("recipes", {})]


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
