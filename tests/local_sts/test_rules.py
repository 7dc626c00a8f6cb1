"""Compares the local STS with AWS's documentation and with ministack, an independent implementation."""

from __future__ import annotations

import pytest
from rules import RULES, Rule
from rules_iam import IAM_RULES
from stations import Ministack, Ours, tool

RULES = RULES + IAM_RULES


@pytest.fixture(scope="module")
def ours():
    station = Ours()
    yield station
    station.stop()


@pytest.fixture(scope="module")
def ministack():
    program = tool("ministack", "pip install ministack")
    if program is None:
        pytest.skip("ministack is not installed: pip install ministack")
    station = Ministack(program)
    yield station
    station.stop()


def test_labels_are_unique():
    labels = [rule.label for rule in RULES]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_local_sts_answers_as_aws_documents(ours: Ours, rule: Rule):
    answer = rule.ask(ours)
    assert answer.code == rule.expects, f"{answer.code}: {answer.text}"
    assert rule.says in answer.text


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_ministack_agrees_or_does_not_look(ministack: Ministack, rule: Rule):
    """Where ministack checks a rule, it gives the same answer. Where it is marked as not checking, that is still true.
    """
    answer = rule.ask(ministack)
    if rule.unchecked is None:
        assert answer.code == rule.expects, f"{answer.code}: {answer.text}"
    else:
        code, why = rule.unchecked
        assert answer.code == code, f"no longer so, mend the mark ({why}): {answer.code}: {answer.text}"
