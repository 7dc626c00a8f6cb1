"""Checks the structure of the crates by their imports: layers, cycles, names, and the width of lines.

`tests/run pure` starts it. It prints each fault in a line, and how much it looked at.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Each folder imports from those before it only; those in one line of several don't import each other.
LAYERS = {
    "core": [["base"], ["aws"], ["settings"], ["project"], ["plan"], ["session"], ["shell"], ["explain"]],
    "local-sts": [["crypto"], ["policy"], ["fixture"], ["protocol"], ["state"],
                  ["sts", "iam", "signin", "metadata", "identity_center"], ["server"]],
}
# Folders whose files are modules of their own. Elsewhere a file and its folder are one module.
NAMESPACES = {"awsrole": ["commands"], "system": []}
# Names that several modules may give to a type.
ALLOWED = {"Error"}
WIDTH = 120


def without_tests(text: str) -> str:
    """Returns the code without unit tests, which may import anything."""
    return re.split(r"^#\[cfg\(test\)\]\n(?:pub\(crate\) )?mod tests \{", text, maxsplit=1, flags=re.M)[0]


def is_test(path: Path) -> bool:
    return path.name == "tests.rs" or "tests" in path.parts


class Crate:
    def __init__(self, folder: Path):
        self.name = folder.name
        self.source = folder / "src"
        self.files = sorted(path for path in self.source.rglob("*.rs") if not is_test(path.relative_to(self.source)))
        folders = [path.name for path in self.source.iterdir() if path.is_dir()]
        self.namespaces = NAMESPACES.get(self.name, folders)

    def module(self, path: Path) -> tuple[str, ...]:
        parts = path.relative_to(self.source).with_suffix("").parts
        return parts[:-1] if parts[-1] == "mod" else parts

    def unit(self, module: tuple[str, ...]) -> tuple[str, ...]:
        return module[:2] if module and module[0] in self.namespaces else module[:1]

    def imports(self) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
        known = {self.module(path) for path in self.files}
        edges: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
        for path in self.files:
            here = self.module(path)
            text = without_tests(path.read_text())
            for child in re.findall(r"^(?:pub(?:\([a-z]+\))? )?mod (\w+);", text, re.M):
                if re.search(rf"(?<!:)\b{child}::", text) and self.unit((*here, child)) != self.unit(here):
                    edges[self.unit(here)].add(self.unit((*here, child)))
            for line in text.splitlines():
                if line.lstrip().startswith("//"):
                    continue
                line = re.sub(r"pub\((?:in )?[\w:]+\)", "", line)
                for found in re.findall(r"\b((?:crate|super)(?:::(?:super|\w+))*)", line):
                    words = found.split("::")
                    at = () if words[0] == "crate" else here[:-1]
                    for word in words[1:]:
                        at = at[:-1] if word == "super" else (*at, word)
                    while at and at not in known:
                        at = at[:-1]
                    if at and self.unit(at) != self.unit(here):
                        edges[self.unit(here)].add(self.unit(at))
        return edges


def cycles(edges: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[list[tuple[str, ...]]]:
    """Returns the strongly connected components with more than one module (Tarjan)."""
    index: dict[tuple[str, ...], int] = {}
    low: dict[tuple[str, ...], int] = {}
    stack: list[tuple[str, ...]] = []
    found = []

    def visit(node: tuple[str, ...]) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def upward(crate: Crate, edges: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[str]:
    layers = LAYERS.get(crate.name, [])
    level = {name: number for number, folders in enumerate(layers) for name in folders}
    return [f"{crate.name}: {'/'.join(one)} imports {'/'.join(other)}, which isn't below it"
            for one, others in sorted(edges.items()) for other in sorted(others)
            if one[0] != other[0] and one[0] in level and level[one[0]] <= level.get(other[0], -1)]


def names(crates: list[Crate]) -> list[str]:
    """Returns public types of the same name in two modules. local-sts is checked separately, because nothing imports
    it.
    """
    faults = []
    for group in ([crate for crate in crates if crate.name != "local-sts"], [crate for crate in crates if crate.name == "local-sts"]):
        seen: dict[str, set[str]] = defaultdict(set)
        for crate in group:
            for path in crate.files:
                for name in re.findall(r"^ *pub(?:\([a-z]+\))? (?:struct|enum|trait|type|union) (\w+)", without_tests(path.read_text()), re.M):
                    seen[name].add(str(path.relative_to(ROOT)))
        faults += [f"{name} is a type in {' and in '.join(sorted(paths))}" for name, paths in sorted(seen.items())
                   if len(paths) > 1 and name not in ALLOWED]
    return faults


def wide_lines() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    # Of the snippets every line counts, elsewhere only comments. rustfmt and ruff format the rest.
    checked = {".rs": r"^\s*//", ".sh": r"^\s*#", ".bash": "", ".zsh": "", ".fish": "", ".py": r"^\s*#"}
    faults = []
    for name in listed:
        start = checked.get(Path(name).suffix)
        if start is not None and (ROOT / name).is_file():
            for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
                if len(line) > WIDTH and re.match(start, line):
                    faults.append(f"{name}:{number}: {len(line)} columns; {WIDTH} are allowed")
    return faults


def main() -> int:
    crates = [Crate(path) for path in sorted((ROOT / "crates").iterdir()) if (path / "src").is_dir()]
    faults = []
    for crate in crates:
        edges = crate.imports()
        faults += upward(crate, edges)
        faults += [f"{crate.name}: a cycle of {len(cycle)} modules: {', '.join('/'.join(unit) for unit in cycle)}" for cycle in cycles(edges)]
    faults += names(crates) + wide_lines()
    for fault in faults:
        print(fault)
    print(f"{sum(len(crate.files) for crate in crates)} files in {len(crates)} crates: {len(faults)} faults of structure")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
