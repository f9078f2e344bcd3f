"""Our own plugins are checked by the functions that other people's are."""

import pytest

from reidkit.plugin import discover
from reidkit.testing import check_plugin

SHIPPED = sorted(n for n, m in discover().plugins.items() if m.origin == "shipped")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_plugin(name):
    report = check_plugin(name)
    assert not report.broken, str(report)
    assert len(report.lines) > 3
