"""A report in a real browser: readable by screen readers, at any width, by keyboard alone."""

from __future__ import annotations

import pytest

from reidkit.report import Source, write_report

pytestmark = pytest.mark.slow
LEFT = "return [...document.querySelectorAll('.case')].filter(c => !c.hidden).length"


@pytest.fixture(scope="module")
def address(make_run, run_folder, tmp_path_factory, tiny_data) -> str:
    folder = tmp_path_factory.mktemp("two")
    data = [f"settings.data_root={tiny_data}"]
    second = make_run(folder / "second", 3)
    sources = [Source.open(run, overrides=data) for run in (run_folder, second)]
    write_report(folder / "report.html", sources)
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_rule_of_accessibility_is_broken(problems, address, width, scheme):
    assert problems(address, width, scheme) == []


def test_the_colours_follow_the_system(browser, show, address):
    colour = "return getComputedStyle(document.body).backgroundColor"
    show(address)
    light = browser.execute_script(colour)
    show(address, scheme="dark")
    assert light == "rgb(255, 255, 255)" != browser.execute_script(colour)


def test_filters_and_zoom_by_keyboard(browser, show, address):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    show(address)
    every = browser.execute_script(LEFT)
    field = browser.find_element(By.CSS_SELECTOR, "[type=search]")
    first = browser.find_element(By.CSS_SELECTOR, ".case")
    field.send_keys(first.get_attribute("data-text").split()[-1])
    assert 0 < browser.execute_script(LEFT) < every
    assert f"of {every} shown" in browser.find_element(By.CSS_SELECTOR, "output").text
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE)
    assert browser.execute_script(LEFT) == every
    button = first.find_element(By.CSS_SELECTOR, ".tiles button")
    browser.execute_script("arguments[0].focus()", button)
    active = browser.switch_to.active_element
    active.send_keys(Keys.ARROW_RIGHT)
    second = browser.switch_to.active_element
    assert second != active and second.get_attribute("tabindex") == "0"
    second.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.CSS_SELECTOR, "dialog")
    assert dialog.get_attribute("open") is not None and "rank 2" in dialog.text
    width = "return document.querySelector('.stage img').getBoundingClientRect().width"
    before = browser.execute_script(width)
    browser.switch_to.active_element.send_keys("+")
    assert browser.execute_script(width) > before
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert "rank 3" in dialog.text
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert dialog.get_attribute("open") is None


def test_one_person_of_the_map(browser, show, address):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    show(address)
    choice = browser.find_element(By.CSS_SELECTOR, "[data-groups]")
    Select(choice).select_by_value("1")
    left = (
        "return new Set([...arguments[0].closest('figure').querySelectorAll('circle:not(.faded)')]"
        ".map(c => c.dataset.group)).size"
    )
    assert browser.execute_script(left, choice) == 1
