"""The file isn't in force: no approval, another one, or a rule that doesn't fit."""

from failure_world import HERE, THERE, file


def test_no_file(world, says):
    """There is no file here or above."""
    world.project("shop")
    says()


def test_never_allowed(world, says):
    """A fresh checkout: the file was never allowed."""
    world.project("shop", file("Plain"))
    says()


def test_edited(world, says):
    """The file was changed after it was allowed."""
    world.shop(file("Plain"))
    world.project("shop", file("Deploy"))
    says()


def test_denied(world, says):
    """The file was denied."""
    folder = world.project("shop", file("Plain"))
    world.awsrole("deny", folder)
    says()


def test_what_it_inherits_is_not_allowed(world, says):
    """The file inherits from one above, which isn't allowed."""
    world.project("shop", file("Plain"))
    inner = world.project("shop/inner", 'inherit = true\nregion = "eu-west-1"\n')
    world.allow(inner)
    world.project("shop", file("Deploy"))
    says(folder=inner)


def test_what_it_inherits_was_removed(world, says):
    """The file inherits from one above, which was removed since."""
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


def test_settings_that_others_can_exchange(world, says):
    """Others can write to the folder of one's own settings."""
    world.shop(file("Plain"))
    world.write(".config/awsrole/config.toml", "# mine\n").parent.chmod(0o777)
    says()


def test_approvals_that_others_can_exchange(world, says):
    """Others can write to a folder above one's own approvals."""
    world.shop(file("Plain"))
    (world.home / ".local/share").chmod(0o775)
    says()


def test_approvals_inside_the_project(world, says):
    """A variable moves the approvals into the project."""
    folder = world.shop(file("Plain"))
    says(env={"XDG_DATA_HOME": str(folder / ".data")})


def test_rule_for_another_account_than_the_sources(world, says):
    """A [[trust]] rule covers the role's account, but not that of the keys that assume it."""
    rule(world, THERE)
    world.project("shop", file("Plain"))
    says()


def test_rule_whose_path_others_can_exchange(world, says):
    """The path of a [[trust]] rule leads through a folder in which others can exchange a link."""
    world.project("shop", file("Plain"))
    links = world.project("links")
    (links / "mine").symlink_to(world.home / "src")
    links.chmod(0o777)
    rule(world, THERE, path="~/src/links/mine")
    says()


def rule(world, accounts, path="~/src"):
    world.write(".config/awsrole/config.toml", f'[[trust]]\npath = "{path}"\naccounts = ["{accounts}"]\n')


def test_rule_for_another_account(world, says):
    """A [[trust]] rule covers the folder, but not the role's account."""
    rule(world, HERE)
    world.project("shop", file("Plain"))
    says()


def test_rule_and_a_profile_without_an_account(world, says):
    """A [[trust]] rule covers the folder, and the file has no account that could be compared."""
    rule(world, HERE)
    world.project("shop", 'profile = "alice"\n')
    says()


def test_rule_for_a_folder_that_others_write_to(world, says):
    """A [[trust]] rule covers the folder, but others may change what is in it."""
    rule(world, THERE)
    world.project("shop", file("Plain")).chmod(0o777)
    says()


def test_manual(world, says):
    """A role is entered by its name alone; a shell that comes by doesn't enter it."""
    world.shop(f'default_role = "prod"\n[role.prod]\n{file("Plain")}manual = true\n')
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=world.home / "src/shop")
    says.compare("$ cd ~/src/shop", result.err, 1, world.home / "src/shop")


def test_confirm(world, says):
    """A role that asks, where nobody can answer."""
    world.shop(f'default_role = "prod"\n[role.prod]\n{file("Plain")}confirm = true\n')
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=world.home / "src/shop")
    says.compare("$ cd ~/src/shop", result.err, 1, world.home / "src/shop")


def test_cd_into_a_project_that_is_not_allowed(world, says):
    """What a shell says on `cd` into a fresh checkout."""
    folder = world.project("shop", file("Plain"))
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    says.compare("$ cd ~/src/shop", result.err, 1, folder)


def test_cd_into_an_edited_project(world, says):
    """What a shell says on `cd` into a project whose file was changed."""
    folder = world.shop(file("Plain"))
    world.project("shop", file("Deploy"))
    result = world.awsrole("hook", "export", "bash", "--event", "cd", cwd=folder)
    says.compare("$ cd ~/src/shop", result.err, 1, folder)
