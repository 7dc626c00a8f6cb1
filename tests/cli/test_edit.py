"""`awsrole edit`: the user's editor, then the approval of what it left, without a terminal."""

import shlex

import pytest

from support.local_sts import binary
from support.terminal import Terminal, need
from support.world import DEPLOY, THERE


def holds(world, folder):
    """Whether the file's role is entered."""
    return world.awsrole("exec", "--", "true", cwd=folder).code == 0


@pytest.fixture
def editor(world):
    """Makes an editor of a shell script, which finds the file as $1."""

    def make(script):
        path = world.write("bin/my editor", f"#!/bin/sh\nset -e\n{script}\n")
        path.chmod(0o755)
        return {"EDITOR": f"'{path}'"}

    return make


def test_what_the_editor_left_is_allowed(world, shop, editor):
    env = editor("sed -i s/eu-west-1/eu-west-3/ \"$1\"")
    result = world.awsrole("edit", cwd=shop, env=env)
    assert (result.code, result.out) == (0, ""), result.err
    assert '-region = "eu-west-1"' in result.err and '+region = "eu-west-3"' in result.err
    assert world.exec_env(shop)["AWS_REGION"] == "eu-west-3"


def test_a_file_that_was_never_allowed(world, editor):
    folder = world.project("new", DEPLOY)
    result = world.awsrole("edit", folder, env=editor("echo duration_seconds = 1800 >> \"$1\""))
    assert result.code == 0 and "+duration_seconds = 1800" in result.err and "Deploy" in result.err
    assert holds(world, folder)


def test_a_new_file_starts_with_a_template(world, editor):
    folder = world.project("new")
    env = editor(f"cp \"$1\" ~/seen; printf %s '{DEPLOY}' >> \"$1\"")
    result = world.awsrole("edit", cwd=folder, env=env)
    assert result.code == 0, result.err
    assert (world.home / "seen").read_text().startswith("# The AWS role of this directory")
    assert holds(world, folder)


def test_the_template_is_valid_with_its_comments_removed(world, editor):
    folder = world.project("new")
    result = world.awsrole("edit", cwd=folder, env=editor("sed -i 's/^# \\([a-z_]* =\\)/\\1/' \"$1\""))
    assert result.code == 0, result.err
    content = (folder / ".awsrole.toml").read_text()
    assert f'\naccount_id = "{THERE}"' in content
    assert holds(world, folder)


def test_the_nearest_file_is_opened(world, shop, editor):
    inner = world.project("shop/inner")
    env = editor("echo '# seen' >> \"$1\"")
    assert world.awsrole("edit", cwd=inner, env=env).code == 0
    assert (shop / ".awsrole.toml").read_text() == DEPLOY + "# seen\n"
    assert not (inner / ".awsrole.toml").exists()


def test_visual_before_editor(world, shop, editor):
    env = {**editor("exit 1"), "VISUAL": "sed -i -e 's/eu-west-1/eu-west-2/'"}
    assert world.awsrole("edit", cwd=shop, env=env).code == 0
    assert world.exec_env(shop)["AWS_REGION"] == "eu-west-2"
    assert world.awsrole("edit", cwd=shop, env={**editor("echo >> \"$1\""), "VISUAL": ""}).code == 0


def test_an_invalid_file_is_refused_with_its_line(world, shop, editor):
    result = world.awsrole("edit", cwd=shop, env=editor("echo regoin = 1 >> \"$1\""))
    assert result.code == 1 and ".awsrole.toml:4" in result.err and "regoin" in result.err
    assert world.awsrole("exec", "--", "true", cwd=shop).code == 3
    # It stays, to be fixed.
    assert "regoin" in (shop / ".awsrole.toml").read_text()
    assert world.awsrole("edit", cwd=shop, env=editor("sed -i /regoin/d \"$1\"")).code == 0
    assert holds(world, shop)


def test_an_editor_that_fails_changes_nothing(world, shop, editor):
    file = shop / ".awsrole.toml"
    for script in ("echo x >> \"$1\"; exit 7", "rm \"$1\"; exit 7", "exit 7"):
        result = world.awsrole("edit", cwd=shop, env=editor(script))
        assert result.code == 1 and "7" in result.err and "was not changed" in result.err
        assert file.read_text() == DEPLOY and holds(world, shop)
    new = world.project("new")
    assert world.awsrole("edit", cwd=new, env=editor("echo x >> \"$1\"; exit 7")).code == 1
    assert list(new.iterdir()) == []
    result = world.awsrole("edit", cwd=shop, env={"EDITOR": "nowhere-to-be-found"})
    assert result.code == 1 and file.read_text() == DEPLOY


def test_a_file_that_is_left_as_it_was_is_not_allowed(world, editor):
    folder = world.project("cloned", DEPLOY)
    result = world.awsrole("edit", cwd=folder, env=editor("touch \"$1\""))
    assert result.code == 0 and "left as it was" in result.err
    assert not holds(world, folder)
    new = world.project("new")
    assert world.awsrole("edit", cwd=new, env=editor("true")).code == 0
    assert list(new.iterdir()) == []


def test_a_link_and_its_mode_stay(world, editor):
    target = world.write("dotfiles/shop.toml", DEPLOY)
    target.chmod(0o640)
    folder = world.project("linked")
    (folder / ".awsrole.toml").symlink_to(target)
    assert world.awsrole("edit", cwd=folder, env=editor("echo x >> \"$1\"; exit 1")).code == 1
    assert target.read_text() == DEPLOY and target.stat().st_mode & 0o777 == 0o640
    assert world.awsrole("edit", cwd=folder, env=editor("echo >> \"$1\"")).code == 0
    assert (folder / ".awsrole.toml").is_symlink() and holds(world, folder)


def test_without_an_editor(world, shop):
    result = world.awsrole("edit", cwd=shop, env={"EDITOR": ""})
    assert result.code == 1 and "no editor is set" in result.err and "EDITOR" in result.err
    assert list(world.project("new").iterdir()) == []


def test_what_is_no_file(world, editor):
    folder = world.project("odd")
    (folder / ".awsrole.toml").mkdir()
    result = world.awsrole("edit", cwd=folder, env=editor("true"))
    assert result.code == 1 and "isn't a regular file" in result.err
    linked = world.project("dangling")
    (linked / ".awsrole.toml").symlink_to("nowhere")
    result = world.awsrole("edit", cwd=linked, env=editor("true"))
    assert result.code == 1 and "dangling" in result.err
    assert world.awsrole("edit", "nowhere", env=editor("true")).code == 1


def test_a_removed_file_is_an_error(world, shop, editor):
    result = world.awsrole("edit", cwd=shop, env=editor("rm \"$1\""))
    assert result.code == 1 and "was removed" in result.err


class TestTerminal:
    """On a terminal nothing is asked about what the user typed in the editor."""

    @pytest.fixture
    def terminal(self, world, shop):
        need("bash")
        load = f'eval "$({binary("awsrole")} hook bash)"'
        opened = Terminal("bash", world.home, load, cwd=shop, timeout=60)
        yield opened
        opened.close()

    def line(self, editor, script):
        return f"EDITOR={shlex.quote(editor(script)['EDITOR'])} awsrole edit"

    def test_the_shell_goes_on_with_it(self, terminal, editor):
        terminal.env()
        said = terminal.run(self.line(editor, 'sed -i s/eu-west-1/eu-west-3/ "$1"'))
        assert "is allowed" in said and "Allow?" not in said
        assert terminal.env()[b"AWS_REGION"] == b"eu-west-3"

    @pytest.mark.parametrize("answer", ["y", "n"])
    def test_what_it_inherits_from_is_asked_about_once(self, world, shop, terminal, editor, answer):
        """The editor didn't show that file."""
        inner = world.project("shop/inner", "inherit = true\n")
        terminal.run(f"cd {inner}")
        terminal.send(self.line(editor, 'echo duration_seconds = 1800 >> "$1"') + "\n")
        terminal.process.expect_exact(b"Allow? [y/N] ")
        terminal.send(answer + "\n")
        assert ("is allowed" in terminal.wait()) == (answer == "y")
        if answer == "y":
            said = terminal.run(self.line(editor, 'echo >> "$1"'))
            assert "is allowed" in said and "Allow?" not in said
