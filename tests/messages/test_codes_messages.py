"""Tests the messages about MFA codes that are wrong, used, or unavailable."""


import pexpect
import pytest
from failure_world import SERIAL, file

from support.local_sts import binary


@pytest.fixture
def guarded(world):
    """A project whose role wants MFA, and whose source has a device."""
    return world.shop(file("Guarded", source="alice-mfa"))


def wrong_code(world):
    valid = {world.sts.totp("alice", steps) for steps in (-1, 0, 1, 2)}
    return next(digits for digits in ("000000", "111111", "222222", "333333", "444444") if digits not in valid)


def ask(world, folder, *answers):
    """Types `awsrole exec -- true` in a terminal and answers the questions; returns what is said after the first."""
    terminal = pexpect.spawn(str(binary("awsrole")), ["exec", "--", "true"], cwd=str(folder), timeout=20,
                             env=world.environment(PWD=str(folder)), dimensions=(50, 2000), encoding="utf-8")
    said = ""
    for answer in answers:
        terminal.expect_exact("awsrole: MFA code of alice for Guarded in 222222222222: ")
        said += terminal.before
        terminal.send(answer + "\r")
    said = (said + terminal.read()).replace("\r", "")
    terminal.close()
    return said[said.index("awsrole: a code"):], terminal.exitstatus


def test_code_is_wrong(world, guarded, says):
    """A mistyped code."""
    world.give_code(wrong_code(world))
    says()


def test_device_is_not_the_users(world, says):
    """The MFA device belongs to another user."""
    world.shop(file("Guarded", mfa_serial=SERIAL.replace("alice", "bob")))
    world.give_code(world.sts.totp("alice"))
    says()


def test_user_has_no_device(world, says):
    """The user has no MFA device."""
    world.shop(file("Guarded", source="newcomer", mfa_serial=SERIAL.replace("alice", "newcomer")))
    world.give_code("123456")
    says()


def test_not_six_digits(world, guarded, says):
    """The input isn't a code, three times."""
    said, code = ask(world, guarded, "12345", "1234567", "nonsense")
    says.compare("$ awsrole exec -- true    (typed: 12345, 1234567, nonsense)", said, code, guarded)


def test_no_terminal(world, guarded, says):
    """A code is needed in a job without a terminal."""
    says(start_new_session=True)


def test_an_editor_runs_credential_process(world, guarded, says):
    """An editor runs `awsrole credential-process`, which never prompts."""
    says("credential-process")


def test_mfa_process_fails(world, guarded, says):
    """The user's mfa_process fails."""
    world.write(".config/awsrole/config.toml", 'mfa_process = "exit 3"\n')
    says()


def test_mfa_process_is_not_there(world, guarded, says):
    """The user's mfa_process isn't installed."""
    world.write(".config/awsrole/config.toml", 'mfa_process = "no-such-program totp"\n')
    says(env={"PATH": "/usr/bin:/bin"})


def test_mfa_process_prints_something_else(world, guarded, says):
    """The user's mfa_process prints no code."""
    world.give_code("vault is locked\n")
    says()


def test_mfa_on_the_second_role(world, says):
    """mfa_serial is set for a role that another role assumes."""
    world.shop('default_role = "second"\n[role.first]\n' + file("Deploy") + '[role.second]\n'
               f'role_arn = "arn:aws:iam::222222222222:role/GuardedSecond"\nsource_role = "first"\nmfa_serial = "{SERIAL}"\n')
    says()
