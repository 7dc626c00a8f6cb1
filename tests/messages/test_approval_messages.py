"""Tests the messages about files without a valid approval, and about trust rules that don't apply."""

from failure_world import HERE, THERE, file


def test_no_file(world, says):
    """There is no file in this directory or above it."""
    world.project("shop")
    says()


def test_never_allowed(world, says):
    """A new clone: the file was never approved."""
    world.project("shop", file("Plain"))
    says()


def test_edited(world, says):
    """The file was changed after its approval."""
    world.shop(file("Plain"))
    world.project("shop", file("Deploy"))
    says()


def test_denied(world, says):
    """The file was denied."""
    folder = world.project("shop", file("Plain"))
    world.awsrole("deny", folder)
    says()


def test_what_it_inherits_is_not_allowed(world, says):
    """The file inherits from one above that isn't approved."""
    world.project("shop", file("Plain"))
    inner = world.project("shop/inner", 'inherit = true\nregion = "eu-west-1"\n')
    world.allow(inner)
    world.project("shop", file("Deploy"))
    says(folder=inner)


def test_what_it_inherits_was_removed(world, says):
    """The file inherits from one above that was removed later."""
    world.project("shop", file("Plain"))
    inner = world.project("shop/inner", 'inherit = true\nregion = "eu-west-1"\n')
    world.allow(inner)
    (world.home / "src/shop/.awsrole.toml").unlink()
    says(folder=inner)


def test_what_it_inherits_was_added(world, says):
    """A file was added between the directory's file and the one from which it inherits."""
    world.project("shop", file("Plain"))
    inner = world.project("shop/in/ner", 'inherit = true\nregion = "eu-west-1"\n')
    world.allow(inner)
    world.project("shop/in", 'inherit = true\nexternal_id = "42"\n')
    says(folder=inner)


def test_what_it_inherits_was_denied(world, says):
    """`allow` in a directory whose file inherits from one that was denied."""
    folder = world.project("shop", file("Plain"))
    inner = world.project("shop/inner", 'inherit = true\nregion = "eu-west-1"\n')
    world.awsrole("deny", folder)
    says("allow", folder=inner)


def test_settings_that_others_can_replace(world, says):
    """Other users can write to the directory of the settings file."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", "# mine\n").parent.chmod(0o777)
    says()


def test_approvals_that_others_can_replace(world, says):
    """Other users can write to a directory above the user's approvals."""
    world.shop(file("Plain"))
    (world.home / ".local/share").chmod(0o775)
    says()


def test_approvals_inside_the_project(world, says):
    """An environment variable moves the approvals into the project."""
    folder = world.shop(file("Plain"))
    says(env={"XDG_DATA_HOME": str(folder / ".data")})


def test_rule_for_another_account_than_the_sources(world, says):
    """A [[trust]] rule covers the role's account, but not that of the keys that assume it."""
    rule(world, THERE)
    world.project("shop", file("Plain"))
    says()


def test_rule_whose_path_others_can_replace(world, says):
    """The path of a [[trust]] rule contains a symlink that other users can replace."""
    world.project("shop", file("Plain"))
    links = world.project("links")
    (links / "mine").symlink_to(world.home / "src")
    links.chmod(0o777)
    rule(world, THERE, path="~/src/links/mine")
    says()


def rule(world, accounts, path="~/src"):
    world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "{path}"\naccounts = ["{accounts}"]\n')


def test_rule_for_another_account(world, says):
    """A [[trust]] rule covers the directory, but not the role's account."""
    rule(world, HERE)
    world.project("shop", file("Plain"))
    says()


def test_rule_and_a_profile_without_an_account(world, says):
    """A [[trust]] rule covers the directory, but the file has no account to compare."""
    rule(world, HERE)
    world.project("shop", 'profile = "alice"\n')
    says()


def test_rule_for_a_folder_that_others_write_to(world, says):
    """A [[trust]] rule covers the directory, but other users can change its content."""
    rule(world, THERE)
    world.project("shop", file("Plain")).chmod(0o777)
    says()


def test_manual(world, says):
    """A role with `manual` must be selected by its name. `cd` doesn't assume it."""
    world.shop(f'default_role = "prod"\n[role.prod]\n{file("Plain")}manual = true\n')
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=world.home / "src/shop")
    says.compare("$ cd ~/src/shop", result.err, 1, world.home / "src/shop")


def test_confirm(world, says):
    """A role with `confirm` needs a confirmation, and nobody can answer."""
    world.shop(f'default_role = "prod"\n[role.prod]\n{file("Plain")}confirm = true\n')
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=world.home / "src/shop")
    says.compare("$ cd ~/src/shop", result.err, 1, world.home / "src/shop")


PROTECTED = '[accounts.{}]\nname = "shop-prod"\nprotect = true\n'
AWAY = ("setsid", "-w")


def test_protected_account(world, says):
    """The default role is in an account that the user's settings protect."""
    world.write(".config/awsrole/config.toml", PROTECTED.format(THERE))
    world.shop(f'default_role = "prod"\n[role.prod]\n{file("Plain")}')
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=world.home / "src/shop")
    says.compare("$ cd ~/src/shop", result.err, 1, world.home / "src/shop")


def test_protected_account_of_keys(world, says):
    """Only AWS knows the account of the keys, and the user's settings protect it."""
    world.write(".config/awsrole/config.toml", PROTECTED.format(HERE))
    world.shop('profile = "alice"\n')
    says("exec --yes -- true")


def test_account_to_type_is_unknown(world, says):
    """The user must type an account that only AWS knows."""
    world.shop('[role.prod]\nprofile = "alice"\nconfirm = "account"\n')
    says("exec --role prod -- true")


def test_sudo_without_elevate(world, says):
    """The file names no role for `awsrole sudo`."""
    world.shop(file("Plain"))
    says("sudo true")


def test_sudo_without_a_terminal(world, says):
    """Nobody can answer the question of `awsrole sudo`."""
    world.shop(f'elevate = "prod"\n[role.prod]\n{file("Plain")}')
    says("sudo true", wrapper=AWAY)


def test_cd_into_a_project_that_is_not_allowed(world, says):
    """The message of a shell on `cd` into a new clone."""
    folder = world.project("shop", file("Plain"))
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    says.compare("$ cd ~/src/shop", result.err, 1, folder)


def test_cd_into_an_edited_project(world, says):
    """The message of a shell on `cd` into a project whose file was changed."""
    folder = world.shop(file("Plain"))
    world.project("shop", file("Deploy"))
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    says.compare("$ cd ~/src/shop", result.err, 1, folder)
