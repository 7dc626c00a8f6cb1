"""Tests that docs/*.svg show the current output."""

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

from support.terminal import need

PICTURE = Path(__file__).parents[2] / "docs/picture"


@pytest.fixture(scope="module")
def picture():
    loader = importlib.machinery.SourceFileLoader("picture", str(PICTURE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("picture", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("scene", ["terminal", "why"])
def test_the_picture_is_what_a_fresh_run_prints(picture, scene):
    need("aws")
    fresh = picture.text_of(picture.draw(picture.rows(picture.record(scene))))
    drawn = picture.text_of(picture.path_of(scene).read_text())
    assert picture.same(drawn) == picture.same(fresh), "run docs/picture"


def test_every_scene_is_compared_and_shown(picture):
    assert set(picture.SCENES) == {"terminal", "why"}
    readme = (PICTURE.parents[1] / "README.md").read_text()
    assert all(f"(docs/{scene}.svg)" in readme for scene in picture.SCENES)


def test_a_drawing_keeps_text_and_colours(picture):
    svg = picture.draw(picture.rows("\x1b[34m~\x1b[0m \x1b[31ma<b@1\x1b[0m $ x\r\n  y & z\x1b[?2004l\r\n"))
    assert picture.text_of(svg) == "~ a<b@1 $ x\n  y & z"
    assert f"{picture.STYLES['31']}>a&lt;b@1<" in svg
