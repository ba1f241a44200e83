"""A page from facts alone: what it lists, in which colours, and what its own policy lets run."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from report_pages import PageReader, facts_of, listed_changes, page_of

from geochange.qgis.style import PALETTE, colors_by_frequency
from geochange.report.facts import Source
from geochange.report.page import LONGEST_NAME, PageColours, change_name

HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\" {{ 7*7 }}"
NAMES = ["farmland -> building", "within pond", None]


def hash_of(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def policy_of(page: PageReader) -> dict[str, list[str]]:
    (text,) = (str(each["content"]) for each in page.all("meta") if each.get("http-equiv"))
    return {words[0]: words[1:] for rule in text.split(";") if (words := rule.split())}


def test_only_the_pages_own_script_and_style_may_run() -> None:
    page = PageReader(page_of(listed_changes(3, NAMES)))
    policy = policy_of(page)
    assert policy["default-src"] == ["'none'"] and policy["img-src"] == ["data:"]
    for name in ("script", "style"):
        assert len(page.all(name)) == 1 and page.all(name)[0] == {}
        assert policy[f"{name}-src"] == [f"'sha256-{hash_of(page.plain[name])}'"]
    # The policy would not let them work, so that a page that has them looks broken.
    assert not [a for _, a in page.tags if "style" in a or any(n.startswith("on") for n in a)]


@pytest.mark.parametrize("word", ["fetch(", "XMLHttpRequest", "innerHTML", "eval(", "import("])
def test_the_script_asks_for_nothing_and_makes_no_html(word: str) -> None:
    assert word not in PageReader(page_of([])).plain["script"]


def page_with(words: str) -> str:
    """A page on which every text that a run can bring along is `words`."""
    listed = listed_changes(12, [words, f"{words} -> {'x' * 5000}"])
    source = Source(f"/data/{words}", words, words)
    told = {words: words}
    facts = facts_of(
        listed,
        **{"title": words, "before": source, "model": words, "warnings": (words,)},
        **{"files": {"changes": words, **told}, "options": told, "versions": told},
    )
    return page_of(listed, facts)


def test_every_text_from_outside_is_escaped() -> None:
    page, harmless = PageReader(page_with(HOSTILE)), PageReader(page_with("harmless"))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert page.plain == harmless.plain
    names = [sorted(attributes) for _, attributes in page.tags]
    assert names == [sorted(attributes) for _, attributes in harmless.tags]
    # Nothing is lost, but for the ten characters of a day that the title has.
    assert page.text.count("{{ 7*7 }}") == harmless.text.count("harmless") - 1


def test_the_list_says_what_a_script_sorts_by() -> None:
    page = PageReader(page_of(listed_changes(40, NAMES)))
    values = [float(str(each["value"])) for each in page.all("data")]
    assert values[::2] == list(range(1, 41))
    assert values[1::2] == sorted(values[1::2], reverse=True)
    boxes = [str(each["data-box"]) for each in page.all("tr") if "data-box" in each]
    assert len(boxes) == 40 and boxes[0] == "37 53 5 4"
    options = [each["value"] for each in page.all("option")]
    assert options == ["farmland \N{RIGHTWARDS ARROW} building", "within pond"]
    assert "The changes" in page.text and "m² to" in page.text


def test_without_names_there_is_nothing_to_filter_by_them() -> None:
    page = PageReader(page_of(listed_changes(3)))
    assert [each["id"] for each in page.all("input") if "id" in each] == ["area", "confidence"]


def test_a_list_that_is_cut_says_where_the_others_are() -> None:
    listed = listed_changes(20)
    text = PageReader(page_of(listed, facts_of(listed, polygons=123_456))).text
    assert "The 20 most confident changes" in text
    assert "All 123,456 are in changes.gpkg." in text


def test_without_changes_or_pictures_the_page_stands() -> None:
    empty = PageReader(page_of([]))
    assert "Nothing changed" in empty.text and not empty.all("data")
    blind = PageReader(page_of(listed_changes(3), pictures=False))
    assert not blind.all("img") and "The scene" not in blind.text
    # There is no picture that a link could lead to.
    assert not [each for each in blind.all("a") if each["href"] == "#scene"]


def test_changes_have_the_colours_of_qgis() -> None:
    listed = listed_changes(9, ["within pond", "a -> b", "a -> b"])
    page = PageReader(page_of(listed))
    assert colors_by_frequency({"within pond": 3, "a -> b": 6}) == {
        "a -> b": PALETTE[0],
        "within pond": PALETTE[1],
    }
    assert f".kind-0 {{ background: rgb{PALETTE[0]};" in page.plain["style"]
    marks = [str(each["class"]) for each in page.all("i") if "kind-" in str(each.get("class"))]
    # One mark a row of the list, and of the table by change.
    assert marks.count("mark kind-0") == 6 + 1 and marks.count("mark kind-1") == 3 + 1


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_mark_has_the_colour_of_the_figure_beside_it(calibrated: bool) -> None:
    listed = [
        replace(each, confidence=c) for each, c in zip(listed_changes(2), (0.85, 0.65), strict=True)
    ]
    facts = facts_of(listed)
    if not calibrated:
        top = [replace(c, confidence=None, confidence_mean=c.confidence) for c in facts.top]
        facts = replace(facts, top=tuple(top))
    text = page_of(listed, facts)
    marks = re.findall(r'class="mark (shade-\d)"', text)
    assert marks == ["shade-3", "shade-1", "shade-3", "shade-1"]
    assert re.findall(r'class="mark [^<]*</i>([\d.]+ %)', text) == ["85.0 %", "65.0 %"]
    meanings = (
        text.count("the probability of being a change"),
        text.count("the mean probability of"),
    )
    assert meanings == ((3, 0) if calibrated else (0, 3)), "legend, list and histogram"


def test_a_change_between_classes_has_the_colours_of_both() -> None:
    colours = PageColours((), {"a -> b": (1, 2, 3)}, before={"a -> b": (4, 5, 6)})
    assert "linear-gradient(90deg, rgb(4, 5, 6) 50%, rgb(1, 2, 3) 50%)" in colours.rules()
    alike = PageColours((), {"within b": (1, 2, 3)}, before={"within b": (1, 2, 3)})
    assert "gradient" not in alike.rules()


def test_names_beyond_the_palette_share_a_colour() -> None:
    names = [f"n {n:02}" for n in range(len(PALETTE) + 3)]
    page = PageReader(page_of(listed_changes(len(names), names)))
    marks = [str(each["class"]) for each in page.all("i")]
    assert marks.count("mark kind-other") == 2 * 3


def test_a_name_is_cut() -> None:
    assert change_name("a -> b") == "a \N{RIGHTWARDS ARROW} b"
    assert len(change_name("a" * 10**6)) == LONGEST_NAME


def test_a_thousand_rows_stay_small() -> None:
    few, many = (len(page_of(listed_changes(n, NAMES))) for n in (10, 1000))
    assert (many - few) / 990 < 420


def test_every_picture_has_words_or_is_a_drawing_over_one() -> None:
    page = page_of(listed_changes(3))
    for tag in re.findall(r"<img [^>]+>", page):
        assert ('src="data:image/png' in tag) == ('alt=""' in tag) and "alt=" in tag
    assert page.count('alt=""') == 1 + 3
