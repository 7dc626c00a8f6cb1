"""Runs the hooks that shells run at a prompt, many times, in shells that stay open in parallel."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

# Each shell reads lines from stdin: a number runs that many prompts, anything else is evaluated. A prompt is what the
# shell itself does before it shows one: it calls all registered hooks.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i", "-c"], """
PROMPT_COMMAND=()
{load}
cd {folder}
while read -r line; do
  case $line in
    *[!0-9]*) eval "$line" ;;
    *) for ((i = 0; i < line; i++)); do for hook in "${{PROMPT_COMMAND[@]}}"; do eval "$hook"; done; done ;;
  esac
  echo "done"
done
"""),
    "zsh": (["zsh", "-f", "-i", "-c"], """
typeset -ga precmd_functions chpwd_functions
{load}
cd {folder}
while read -r line; do
  case $line in
    *[!0-9]*) eval "$line" ;;
    *) for ((i = 0; i < line; i++)); do for hook in $precmd_functions; do $hook; done; done ;;
  esac
  echo "done"
done
"""),
    # --no-config turns on the private mode, in which zoxide records no directory.
    "fish": (["fish", "--no-config", "-i", "-c"], """
set -e fish_private_mode
{load}
cd {folder}
while read -l line
  if string match -qr '^[0-9]+$' -- $line
    for i in (seq $line)
      emit fish_prompt
    end
  else
    eval $line
  end
  echo "done"
end
"""),
}

EMPTY = {
    "bash": "hook() { :; }; PROMPT_COMMAND=(hook)",
    "zsh": "hook() { :; }; precmd_functions=(hook)",
    "fish": "function hook --on-event fish_prompt; end",
}


class Shell:
    """A shell with one hook, in a folder."""

    def __init__(self, shell: str, load: str, folder: Path, env: dict[str, str], log: Path):
        words, script = SHELLS[shell]
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen([*words, script.format(load=load, folder=folder)], env=env, cwd=env["HOME"],
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                             bufsize=1, start_new_session=True)
        # The first prompts, at which variables are set, are not measured.
        self.prompts(3)

    def tell(self, line: str) -> list[str]:
        """Evaluates a line and returns its output."""
        self._process.stdin.write(line + "\n")
        answer = []
        while (read := self._process.stdout.readline()) != "done\n":
            if not read:
                raise RuntimeError(f"the shell ended: {self._log.read_text()}")
            answer.append(read.rstrip("\n"))
        return answer

    def prompts(self, count: int) -> float:
        """Returns the microseconds of one of `count` prompts."""
        start = time.perf_counter_ns()
        self.tell(str(count))
        return (time.perf_counter_ns() - start) / 1000 / count

    def value(self, name: str) -> str:
        """Returns a variable's value as a child process gets it, or an empty text if it isn't exported."""
        return "".join(self.tell(f"command printenv {name}; command true"))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()
