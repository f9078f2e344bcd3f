"""Costs of whole commands: what is counted, and that each of them runs."""

import resource
import time

import pytest

from reidkit.bench import commands


def test_memory_and_seconds_of_a_process_are_its_own():
    small = commands.spent(["-c", "print('done')"])
    large = commands.spent(["-c", "x = b'1' * 200_000_000; sum(i * i for i in range(3_000_000))"])
    assert small[2] == "done\n"
    assert 180 < large[0] - small[0] < 260 and large[1] > small[1]
    with pytest.raises(RuntimeError, match=r"python -c 1 / 0 failed:(?s:.*)ZeroDivisionError"):
        commands.spent(["-c", "1 / 0"])


def test_the_default_configs_are_one_of_every_paper(capsys):
    names = commands._first_rows()
    assert len({name.split("/")[0] for name in names}) == len(names) >= 5
    assert "eanet/global_pool" in names


def test_loops_run_within_the_block_and_end_with_it():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with commands.busy(1) as loops:
        time.sleep(0.3)
        assert [loop.poll() for loop in loops] == [None]
    assert all(loop.returncode is not None for loop in loops)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > before
