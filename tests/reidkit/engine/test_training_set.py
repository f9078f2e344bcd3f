"""What a checkpoint keeps of the training set is believed only where a model can be built of it."""

import pytest

from reidkit.engine.build import TrainingSet
from reidkit.errors import UserError


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [3, [1]],
        dict(num_identities=3),
        dict(num_identities=3, cameras=2),
        dict(num_identities=-4, cameras=[1]),
        dict(num_identities=0, cameras=[1]),
        dict(num_identities=1 << 24, cameras=[1]),
        dict(num_identities=True, cameras=[1]),
        dict(num_identities=2.0, cameras=[1]),
        dict(num_identities=3, cameras=["1"]),
    ],
)
def test_what_is_no_training_set_ends_in_words(kept):
    with pytest.raises(UserError, match="^last.pth: expected num_identities"):
        TrainingSet.stored(kept, "last.pth")
