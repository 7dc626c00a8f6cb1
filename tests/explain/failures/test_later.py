"""What happens after a refusal: at the next prompts, after a logout, and while a program takes long."""

import json
import subprocess

from at_aws import WHO
from broken import ALICE, HERE, SERIAL, THERE

from support.local_sts import binary
from support.world import asked


def age_failures(home, seconds: int) -> None:
    """Makes remembered failures look older."""
    assert home.entries("failure")
    for path in home.entries("failure"):
        failure = json.loads(path.read_text())
        path.write_text(json.dumps({**failure, "at": failure["at"] - seconds}))


def at_a_prompt(home, event: str):
    return home.awsrole(*asked(home.folder, event=event), cwd=home.folder, env=home.more)


def test_a_prompt_asks_again_after_thirty_seconds(home):
    home.shop("Plain")
    home.aws_says(WHO, action="AssumeRole", times=1)
    assert "__awsrole_done blocked" in at_a_prompt(home, "cd").out
    # The policy was changed meanwhile.
    age_failures(home, 20)
    assert "__awsrole_done blocked" in at_a_prompt(home, "retry").out
    assert len(home.assumed()) == 1
    age_failures(home, 10)
    again = at_a_prompt(home, "retry")
    assert "__awsrole_done blocked" not in again.out and "Plain in" in again.err, again
    assert len(home.assumed()) == 2


def test_why_explains_a_refusal_that_no_prompt_believes_any_more(home):
    home.shop("Plain")
    home.aws_says(WHO, action="AssumeRole")
    at_a_prompt(home, "cd")
    age_failures(home, 600)
    problem = home.type("why --json").json["problem"]
    assert problem["causes"] == [f"AccessDenied: {WHO}"], "in AWS's words"
    assert len(problem["hints"]) > 4


def test_after_a_logout_of_all_a_refused_session_starts_anew(home):
    home.shop("Plain", mfa_serial=SERIAL)
    home.answer_with_a_code()
    home.aws_says(WHO, action="AssumeRole")
    assert home.type("exec -- true").code == 4
    assert home.type("logout --all").code == 0
    home.sts.clear_faults()
    for device in home.entries("mfa"):
        device.unlink()  # so that nothing waits for the next code
    home.answer_with_a_code(unused=True)
    result = home.type("exec -- true")
    assert (result.code, result.err) == (0, ""), "at once, with a new code"
    assert len(home.sts.calls("GetSessionToken")) == 2


def test_a_logout_elsewhere_stays_one(home):
    """`logout --all` forgets refusals, but not that somebody logged out before."""
    home.shop("Plain")
    assert home.type("exec -- true").code == 0
    assert home.type("logout").code == 0
    assert home.type("logout --all").code == 0
    told = at_a_prompt(home, "prompt")
    assert "__awsrole_done blocked" in told.out and "logged out" in told.err


def keys(home) -> str:
    answer = {"Version": 1, "AccessKeyId": ALICE["access_key_id"], "SecretAccessKey": ALICE["secret_access_key"]}
    return str(home.write("keys.json", json.dumps(answer)))


def test_a_program_reads_stdin(home):
    """As with botocore, a credential_process may ask on stdin."""
    home.config(process=f"sh -c 'read answer && test \"$answer\" = yes && cat {keys(home)}'")
    home.shop("Plain", source="process")
    env = home.environment(PWD=str(home.folder))
    run = [binary("awsrole"), "exec", "--", "true"]
    done = subprocess.run(run, cwd=home.folder, env=env, input="yes\n", capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    # At a prompt nobody answers, so it has none.
    for path in home.cache.glob("*"):
        path.unlink()
    done = subprocess.run([binary("awsrole"), *map(str, asked(home.folder, event="prompt"))], cwd=home.folder, env=env, input="yes\n",
                          capture_output=True, text=True, timeout=30)
    assert "__awsrole_done blocked" in done.stdout


def test_a_program_that_takes_long_is_named(home):
    home.config(process=f"sh -c 'sleep 3; cat {keys(home)}'")
    home.shop("Plain", source="process")
    result = home.type("exec -- true")
    assert (result.code, result.err) == (0, "awsrole: waiting for the credential_process of profile process …\n")


def test_the_users_name_of_an_account_is_shown(home):
    home.write(".config/awsrole/config.toml", f'[accounts]\n"{THERE}" = {{ name = "shop-prod" }}\n"{HERE}" = {{ name = "tools" }}\n')
    home.shop("Closed")
    said = home.type("exec -- true").err.splitlines()
    assert said[0].endswith("role/Closed in shop-prod: AccessDenied") and "user/alice in tools" in said[1], said
    assert f"account shop-prod ({THERE}): trust policy of role Closed" in home.type("policy").out
