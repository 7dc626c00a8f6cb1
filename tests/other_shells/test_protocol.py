"""The JSON protocol as docs/protocol.md describes it, without a shell."""

import json

from support.documents import blocks

BLOCKS = {block.world: block.text for block in blocks() if block.document.name == "protocol.md"}


def test_the_example_has_the_fields_of_an_answer(world, shop):
    words = BLOCKS["protocol"].split()[1:]
    world.awsrole("exec", "--", "true", cwd=shop)
    answer = world.awsrole(*words, cwd=shop).json
    example = json.loads(BLOCKS["protocol-answer"])
    assert answer.keys() == example.keys() and answer["block"].keys() == example["block"].keys()
    assert example["set"].keys() <= answer["set"].keys() and (answer["version"], answer["state"]) == (1, "role")
    assert world.awsrole(*words).json["state"] == "outer"


def test_a_tool_follows_its_user(world, shop):
    """The steps of the document: unchanged, changed, and what a failed request leads to."""
    secrets = []

    def request(*words, env=None, cwd=shop):
        result = world.awsrole("hook", "export", "json", *words, "--", cwd=cwd, env=env)
        if "--compare" in words:
            assert not any(secret in result.out for secret in secrets)
        return result.json

    first = request("--compare", "--token", "e30")
    assert first["changed"] and first["undo"] == [] and first["restore"] == {}
    answer = request("--token", first["token"])
    env = answer["set"]
    secrets += [env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]]
    assert request("--compare", "--token", answer["token"], env=env) | {"token": ""} == \
        {"version": 1, "changed": False, "hook": "on", "token": ""}
    # After an upgrade the token may be unreadable: the shell is like one that was started here.
    upgraded = request("--compare", "--token", "bm90aGluZw", "--typed", "--version", env=env)
    assert upgraded["changed"] and request("--token", upgraded["token"], env=env)["state"] == "role"
    changed = request("--compare", "--token", answer["token"], env=env | {"AWS_SECRET_ACCESS_KEY": "mine", "AWS_PROFILE": "mine"})
    assert changed["changed"] and "AWS_REGION" in changed["undo"] and "AWS_PROFILE" not in changed["undo"]
    assert request("--token", changed["token"], env={"AWS_PROFILE": "mine"})["state"] == "inactive"
    left = request("--compare", "--token", answer["token"], env=env, cwd=world.home)
    assert left["changed"] and set(left["undo"]) == {*answer["set"], *answer["unset"]}
    # The request gets no answer: the blocked state is complete, and the next comparison leads to a new decision.
    block = answer["block"]
    again = request("--compare", "--token", block["token"], env=block["set"])
    assert again["changed"] and set(again["undo"]) == {*block["set"], *block["unset"]}
    assert request("--token", again["token"])["state"] == "role"
