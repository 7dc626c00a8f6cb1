"""Tests the Serverless Framework without and with awsrole, in any version."""

from tool_world import CREDENTIALS, SERIAL, ToolWorld, commands, texts

DEPLOYED = {"deploy": "✔ Service deployed to stack shop-dev", "info": "stack: shop-dev"}
AGAIN = "No changes to deploy. Deployment skipped."


def before(stage: ToolWorld, tool: str, **env: str) -> int:
    """Types what the README has people do without awsrole; returns how many codes that took."""
    person = stage.person("bash", stage.home / "src/serverless", tool, **env)
    first = stage.codes()
    for command in commands("serverless", "Before"):
        person.type(command)
        person.process.expect_exact(f"Enter MFA code for {SERIAL}: ".encode())
        said = person.answer(stage.code())
        assert AGAIN in said or DEPLOYED[command.split()[1]] in said, said
    return stage.codes() - first


def after(stage: ToolWorld, tool: str, **env: str) -> list[str]:
    """Types the commands of the README, with one MFA code. Returns the last command's last lines."""
    person = stage.person("bash", stage.home / "src", tool, **env)
    assert all(text in CREDENTIALS for text in texts("serverless"))
    first = stage.codes()
    said = []
    for command in commands("serverless", "After"):
        said.append(person.do(command, stage.code if command == "awsrole allow" else None))
        assert said[-1].code == 0, said[-1].text
    assert stage.codes() - first == 1
    deployed, again, info = said[-3:]
    assert DEPLOYED["deploy"] in deployed.text and AGAIN in again.text and DEPLOYED["info"] in info.text
    # Another terminal needs none.
    other = stage.person("bash", stage.home / "src", tool, **env)
    assert other.do("cd serverless").code == 0
    assert other.do("serverless info").text == info.text
    assert stage.codes() - first == 1
    return [*deployed.lines[-3:], *again.lines[-1:], *info.lines[-6:]]
