"""What a painted pixel shows: part classes, items of a person and the colours of both.

Part classes are EANet's: 0 background, 1 head, 2 torso, 3 upper arm, 4 lower arm and hand,
5 upper leg, 6 lower leg, 7 foot. Clothes count as the limb they cover; bags cover without
taking the label of the body behind them, and are background beside it.
"""

from __future__ import annotations

import numpy as np

from reidkit.synthped.people import Person

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG, FOOT = range(1, 8)

# items: what a pixel shows; left, right where there are two
NECK_I, SKIN_I, HAIR_I, EYES_I, TOP_I, INNER_I, PRINT_I, TAIL_I = range(1, 9)
BOTTOM_I, SKIRT_I, BAG_I, STRAP_I, CAP_I, HOOD_I = range(9, 15)
ARM_U, ARM_L, SLEEVE_U, SLEEVE_L, LEG_U, LEG_L, CLOTH_U, CLOTH_L, SHOE = range(16, 34, 2)
STRIPE_I = 34
ITEMS = 40  # items of one person; others on the canvas start at multiples of it
TOP_ITEMS = (TOP_I, TAIL_I, SLEEVE_U, SLEEVE_U + 1, SLEEVE_L, SLEEVE_L + 1)
BOTTOM_ITEMS = (BOTTOM_I, SKIRT_I, CLOTH_U, CLOTH_U + 1, CLOTH_L, CLOTH_L + 1)
BAG_ITEMS = frozenset({BAG_I, STRAP_I})
FLAT = ((1.0, 0.0, 160),)
PRINT_ROWS: dict[str, tuple] = {"block": ((0.22, 0.5),), "bars": ((0.18, 0.26), (0.34, 0.42))}
PRINT_LAYERS = ((1.0, 0.0, 168),)
LOGO_HALF = 0.062  # half the side of a logo [body heights]


def palette(person: Person) -> np.ndarray:
    """Colours (40, 3) uint8 by item number."""
    table = np.zeros((ITEMS, 3), np.uint8)
    table[[NECK_I, SKIN_I]] = person.skin
    table[HAIR_I] = person.hair
    table[EYES_I] = (38, 30, 30)
    table[list(TOP_ITEMS)] = person.top
    table[INNER_I] = person.inner
    table[HOOD_I] = person.top
    table[[PRINT_I, CAP_I, STRIPE_I]] = person.accent
    table[list(BOTTOM_ITEMS)] = person.bottom
    table[BAG_I] = person.bag
    table[STRAP_I] = [int(0.8 * c) for c in person.bag]
    table[ARM_U : ARM_L + 2] = person.skin
    table[LEG_U : LEG_L + 2] = person.skin
    table[[SHOE, SHOE + 1]] = person.shoes
    return table
