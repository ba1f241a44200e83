"""The page in Chromium: what is dragged, filtered and clicked does what it says, and asks for nothing.

Playwright drives the system's Chromium; without both these tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report_pages import listed_changes, page_of

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]

NAMES = ["farmland -> building", "within pond", "</script><img src=x onerror=alert(1)>"]


@dataclass
class Opened:
    """A page in the browser, with what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def value(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def numbers(self) -> list[int]:
        """The numbers of the changes in the list, from the top."""
        cells = self.page.locator("#changes tbody tr th")
        return [int(text) for text in cells.all_text_contents()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "changes.html"
    path.write_text(page_of(listed_changes(60, NAMES)), "utf-8")
    return path


@contextmanager
def opened(browser: Any, file: Path, **how: Any) -> Iterator[Opened]:
    """Open a file, and see at the end that it had no fault and asked for nothing but itself."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, **how)
    seen = Opened(context.new_page())
    seen.page.on("console", lambda message: seen.said.append(message.text))
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    seen.page.on("dialog", lambda dialog: seen.said.append(dialog.message))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    seen.page.goto(file.as_uri())
    try:
        yield seen
    finally:
        context.close()
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith("data:")] == [file.as_uri()]


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Opened]:
    with opened(browser, file, reduced_motion="reduce") as seen:
        yield seen


def split(page: Opened, selector: str) -> float:
    style = f"getComputedStyle(document.querySelector('{selector} .after .frame')).clipPath"
    return float(page.value(style).rpartition(" ")[2].removesuffix("%)"))


def test_dragging_shows_more_of_one_date(page: Opened) -> None:
    for selector in ("#scene", ".top article:nth-child(7)"):
        assert split(page, selector) == 50
        slider = page.page.locator(f"{selector} .wipe")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        row = box["y"] + box["height"] / 2
        page.page.mouse.move(box["x"] + box["width"] / 2, row)
        page.page.mouse.down()
        page.page.mouse.move(box["x"] + box["width"] * 0.8, row, steps=3)
        page.page.mouse.up()
        assert split(page, selector) == pytest.approx(80, abs=1)
        assert slider.get_attribute("aria-valuetext") == "80 % before, 20 % after"
    assert split(page, ".top article:nth-child(2)") == 50


def test_the_pictures_lie_on_one_another(page: Opened) -> None:
    boxes = [
        page.page.locator(f"#scene {part}").bounding_box()
        for part in (".before .frame", ".after .frame", ".lines", ".wipe", ".handle")
    ]
    assert all(box == boxes[0] for box in boxes) and boxes[0]["width"] > 600
    assert not page.page.locator("#scene .drawn").is_visible()
    # Red left of the middle, green right of it, and the outline in yellow on both.
    shot = Image.open(BytesIO(page.page.screenshot(clip=boxes[0]))).convert("RGB")
    width, height = shot.size
    colours = [
        shot.getpixel((round(width * x), round(height * y)))
        for x, y in ((0.1, 0.1), (0.9, 0.1), (0.257, 0.6), (0.743, 0.6))
    ]
    wanted = [(254, 0, 0), (0, 128, 0), (255, 255, 0), (255, 255, 0)]
    for colour, one in zip(colours, wanted, strict=True):
        assert colour == pytest.approx(one, abs=12)


def test_keys_move_a_slider_and_outlines_are_switched(page: Opened) -> None:
    slider = page.page.get_by_role("slider", name="The scene: share that shows the date before")
    slider.press("Home")
    assert split(page, "#scene") == 0
    slider.press("ArrowRight")
    assert split(page, "#scene") == 1
    switch = page.page.get_by_label("Outlines").first
    assert page.page.locator("#scene .lines img").is_visible()
    switch.uncheck()
    assert not page.page.locator("#scene .lines img").is_visible()
    assert page.page.locator(".top .lines img").first.is_visible()
    switch.check()
    assert page.page.locator("#scene .lines img").is_visible()


def test_the_list_is_filtered(page: Opened) -> None:
    told = page.page.locator("#count")
    assert told.text_content() == "60 changes" and page.numbers() == list(range(1, 61))
    page.page.get_by_label("Class").fill("-> BUILD")
    assert page.numbers() == list(range(3, 61, 3)) and told.text_content() == "20 of 60 changes"
    page.page.locator("#area").fill("30")
    assert page.numbers() == list(range(30, 61, 3))
    page.page.locator("#confidence").fill("70")
    assert page.numbers() == [30, 33, 36]
    page.page.get_by_label("Class").fill("<img")
    assert page.numbers() == [32, 35]
    page.page.get_by_label("Class").fill("nothing like it")
    assert page.numbers() == [] and told.text_content() == "0 of 60 changes"


def test_the_list_is_sorted(page: Opened) -> None:
    head = page.page.locator("#changes thead th").filter(has_text="area")
    head.get_by_role("button").click()
    assert page.numbers() == list(range(60, 0, -1))
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").press("Enter")
    assert page.numbers() == list(range(1, 61))
    page.page.locator("#changes thead").get_by_role("button", name="change").click()
    assert head.get_attribute("aria-sort") is None
    # By words; those of one name in the order of confidence.
    assert page.numbers()[:2] == [2, 5] and page.numbers()[20:22] == [3, 6]


def marked(page: Opened) -> tuple[float, float]:
    """The middle of the marker, as shares of the scene's picture."""
    marker = page.page.locator(".marker").bounding_box()
    frame = page.page.locator("#scene .lines").bounding_box()
    x = (marker["x"] + marker["width"] / 2 - frame["x"]) / frame["width"]
    y = (marker["y"] + marker["height"] / 2 - frame["y"]) / frame["height"]
    return x, y


def test_a_click_goes_to_the_change_in_the_picture(page: Opened) -> None:
    page.page.locator("#changes tbody tr", has_text="pond").nth(3).click()
    # It lies at the upper right; enlarged, it is in the middle.
    assert marked(page) == pytest.approx((0.5, 0.5), abs=0.01)
    frame = page.page.locator("#scene .before .frame").bounding_box()
    picture = page.page.locator("#scene .before img").bounding_box()
    assert picture["width"] == pytest.approx(4 * frame["width"])
    assert page.value("document.activeElement.className") == "wipe"
    top = page.page.locator("#scene").bounding_box()["y"]
    assert -5 < top < 100
    page.page.get_by_role("button", name="Next").click()
    assert page.page.locator("#told").text_content().startswith("No. 11,")
    page.page.locator(".top a", has_text="No. 3").click()
    assert page.page.locator("#told").text_content().startswith("No. 3,")
    page.page.keyboard.press("Escape")
    assert not page.page.locator(".marker").is_visible()
    assert page.page.get_by_role("button", name="Whole scene").is_disabled()


def test_without_script_and_on_paper_the_pictures_are_side_by_side(
    browser: Any, file: Path, tmp_path: Path
) -> None:
    with opened(browser, file, java_script_enabled=False) as plain:
        boxes = [
            plain.page.locator(f"#scene .{n}").bounding_box() for n in ("before", "after", "drawn")
        ]
        assert len({box["y"] for box in boxes}) == 1 and len({box["x"] for box in boxes}) == 3
        assert plain.page.locator(".scripted:visible").count() == 0
        assert plain.page.locator("#changes tbody tr").count() == 60
    with opened(browser, file) as printed:
        printed.page.emulate_media(media="print")
        boxes = [
            printed.page.locator(f"#scene .{n}").bounding_box()
            for n in ("before", "after", "drawn")
        ]
        assert len({box["y"] for box in boxes}) == 1 and len({box["x"] for box in boxes}) == 3
        assert printed.page.locator("input:visible").count() == 0
        assert printed.page.locator("#changes tbody tr:visible").count() == 25


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(browser: Any, file: Path, width: int) -> None:
    with opened(browser, file, color_scheme="dark") as page:
        page.page.set_viewport_size({"width": width, "height": 800})
        assert page.value("document.documentElement.scrollWidth") == width
        back = page.value("getComputedStyle(document.body).backgroundColor")
        assert back == "rgb(23, 25, 27)"


def test_pages_without_changes_or_pictures_have_no_fault(browser: Any, tmp_path: Path) -> None:
    for name, page in {
        "empty": page_of([]),
        "blind": page_of(listed_changes(3), pictures=False),
    }.items():
        path = tmp_path / f"{name}.html"
        path.write_text(page, "utf-8")
        with opened(browser, path) as seen:
            assert seen.value("document.documentElement.className") == "js"
