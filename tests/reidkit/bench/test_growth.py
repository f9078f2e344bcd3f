"""Growth is fitted on logarithms, and every work runs at the smallest sizes."""

import pytest

from reidkit.bench import growth


def test_the_exponent_of_known_growth():
    assert growth.exponent([1, 4, 16], [5, 5, 5]) == pytest.approx(0)
    assert growth.exponent([10, 40, 160], [2, 8, 32]) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in growth.works() if "labels" not in name])
def test_every_work_runs_at_two_small_sizes(name, capsys):
    size = {"qaconv/graph_sampling": 16, "evaluation, gallery images": 64}.get(name, 2)
    size = 64 if name.startswith("re-ranking") else size
    rows = growth.measure(name, size, (1, 2))
    assert [row.name for row in rows] == [name, f"{name}, memory"]
    assert "exponents" in capsys.readouterr().out
