"""Tests the commands of docs/keys.md."""

from pathlib import Path

from support.prompts import NEW, OPEN

DOCUMENT = Path(__file__).parents[2] / "docs/keys.md"
ANSWERS = {
    "awsrole keys add jump --import": [*NEW, ("from ~/.aws/credentials? [y/N] ", "y")],
    "awsrole keys list": [],
    "awsrole keys rotate jump": [OPEN],
    "awsrole keys remove jump": [("permanently? [y/N] ", "y"), OPEN],
}


def test_the_commands_of_the_document(world):
    block = DOCUMENT.read_text().split("<!-- test: keys -->\n```sh\n")[1].split("```")[0]
    lines = [line.split("#")[0].strip() for line in block.splitlines()]
    assert lines == list(ANSWERS)
    for line in lines:
        result = world.asked(*line.split()[1:], answers=ANSWERS[line])
        assert result.code == 0, result.err
