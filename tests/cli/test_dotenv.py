"""Tests shells with plugins that read `.env` files: awsrole explains values that the user didn't type."""

import pytest

from support.terminal import SHELLS, Terminal
from support.world import binary

# What oh-my-zsh's dotenv does on `cd`, behind awsrole.
PLUGIN = {
    "bash": "PROMPT_COMMAND+=('if [[ $PWD != \"${at-}\" && -f .env ]]; then set -a; . ./.env; set +a; fi; at=$PWD')",
    "zsh": "load() { if [[ -f .env ]]; then setopt local_options all_export; source ./.env; fi }; chpwd_functions+=(load)",
    "fish": "function load --on-variable PWD; test -f .env; and set -gx (string split = <.env); end",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_file_is_named(world, shop, shell):
    (shop / ".env").write_text("AWS_PROFILE=ops\n")
    hook = f"{binary('awsrole')} hook {shell}"
    hook = f"{hook} | source" if shell == "fish" else f'eval "$({hook})"'
    tty = Terminal(shell, world.home, f"{hook}\n{PLUGIN[shell]}", env=world.environment(), timeout=60)
    try:
        said = tty.run(f"cd {shop}") + tty.run("true")
        assert "AWS_PROFILE was changed manually" in said and f"awsrole: {shop}/.env:1 sets AWS_PROFILE" in said, said
        env = tty.env()
        assert env[b"AWS_PROFILE"] == b"ops" and b"AWS_ACCESS_KEY_ID" not in env
    finally:
        tty.close()
