"""Names of run folders."""

from reidkit.engine.folder import new_folder, run_name


def test_a_new_run_never_takes_a_used_folder(tmp_path):
    name = run_name("configs/eanet/pcb.py", "synthped", "quick", 3)
    assert name == "eanet-pcb-synthped-quick-s3"
    first = new_folder(tmp_path, name)
    assert first == tmp_path / name
    first.mkdir()
    (tmp_path / f"{name}-7").mkdir()
    assert new_folder(tmp_path, name) == tmp_path / f"{name}-8"
