"""Finished runs without any training, and a browser to open their reports in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reidkit.config import prepare_config, render
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.folder import CHECKPOINT, write_json
from reidkit.engine.report import numbers
from reidkit.engine.run import Run
from reidkit.evaluation.io.queries import write_queries

SMALL = [
    "model.backbone.depth=10", "model.backbone.width=8", "input.size=(96,32)",
    "settings.workers=0", "settings.device=cpu", "data=synthped_tiny", 'data.tests=["target"]',
]  # fmt: skip


@pytest.fixture(scope="session")
def make_run(tiny_data) -> Callable[..., Path]:
    """``make_run(folder, seed)``: a run folder with random weights, tested on 72 crops."""

    def make(folder: Path, seed: int = 0, *overrides: str) -> Path:
        own = [f"settings.data_root={tiny_data}", f"settings.seed={seed}"]
        cfg = prepare_config("eanet/pcb", [*SMALL, *own, *overrides])
        (folder / CHECKPOINT).parent.mkdir(parents=True)
        (folder / "config.py").write_text(render(cfg))
        meta = dict(epoch=1, training_set=dict(num_identities=5, cameras=[]))
        state = build_model(cfg, TrainingSet(5)).state_dict()
        torch.save(dict(state_dict=state, meta=meta), folder / CHECKPOINT)
        run = Run.open(folder, [f"settings.data_root={tiny_data}"])
        run.test()
        for test in run.tests:
            write_queries(folder / f"queries_{test.domain}.csv", test.result.per_query)
        kept = dict(groups=dict(cfg.groups), seed=seed, trained_on="nothing", device="cpu")
        write_json(folder / "metrics.json", dict(kept, tests=numbers(run.tests)))
        return folder

    return make


@pytest.fixture(scope="session")
def run_folder(make_run, tmp_path_factory) -> Path:
    """One run; its features are extracted by whoever reports it first."""
    return make_run(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as npm installs it."""
    root = Path(__file__).parents[3]
    file = Path(os.environ.get("AXE_CORE", root / "node_modules/axe-core/axe.min.js"))
    if not file.is_file():
        pytest.skip("axe-core is not here: make browser")
    return file.read_text()


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window, driven by Selenium."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium: make browser")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("no chromium with chromedriver here (Debian: chromium chromium-driver)")
    from selenium.webdriver.chrome.service import Service

    options = selenium.ChromeOptions()
    for text in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(text)
    options.binary_location = programs[0]
    driver = selenium.Chrome(options=options, service=Service(programs[1]))
    driver.set_script_timeout(300)
    driver.set_page_load_timeout(300)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def show(browser) -> Callable[..., None]:
    """``show(address, width, scheme)``: open a page."""

    def opened(address: str, width: int = 1280, scheme: str = "light") -> None:
        size = dict(width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = dict(features=[dict(name="prefers-color-scheme", value=scheme)])
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(address)

    return opened


@pytest.fixture(scope="session")
def problems(browser, axe, show) -> Callable[..., list[str]]:
    """``problems(address, width, scheme)``: rules of axe-core that a page breaks, and overflow."""

    def found(address: str, width: int, scheme: str = "light") -> list[str]:
        show(address, width, scheme)
        browser.execute_script(axe)
        broken = browser.execute_async_script(
            "axe.run().then(r => arguments[arguments.length - 1](r.violations))"
        )
        texts = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in broken]
        across = browser.execute_script("return document.documentElement.scrollWidth")
        return texts + [f"{across} pixels wide at {width}"] * (across > width)

    return found
