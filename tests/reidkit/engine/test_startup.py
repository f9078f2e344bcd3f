"""What a command imports before its own work."""

import pytest

TEST = "from reidkit.cli.main import main\nassert main(['test', {folder!r}]) == 0"


@pytest.mark.slow
def test_testing_a_run_imports_nothing_dear(tiny_run, dear_modules):
    run = tiny_run("eanet/global_pool")
    assert dear_modules(TEST.format(folder=str(run.folder))) == set()
