"""Renders the measurements as documents: docs/speed.md, a plot, and a line in README.md."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.sax.saxutils import escape

HOOKS = {"empty": "empty hook", "awsrole": "awsrole", "zoxide": "zoxide", "direnv": "direnv", "mise": "mise"}
CALL, ALONE = "awsrole-hook, as the hook calls it", "awsrole in its place"
STATIC = "awsrole-hook of the release's tarball, static"
INSTALLED = {"aws": "the AWS CLI"}


def documents(found: dict, root: Path) -> dict[Path, str]:
    """Returns every file that shows measurements, with its content."""
    readme = root / "README.md"
    return {
        root / "docs/speed.md": page(found),
        root / "docs/speed.svg": plot(found),
        readme: re.sub(r"(?<=<!-- speed -->\n).*?(?=<!-- /speed -->)", lambda _: lines(found), readme.read_text(),
                       flags=re.DOTALL),
    }


def lines(found: dict) -> str:
    """Returns the line about speed in README.md."""
    shells = [f"{show(rows['awsrole']['median'])} in {shell}" for shell, rows in found["prompts"].items()]
    peers = {tool for rows in found["prompts"].values() for tool in rows} & {"direnv", "mise"}
    times = {tool: [rows[tool]["against"]["awsrole"] for rows in found["prompts"].values()] for tool in peers}
    ranges = {tool: f"{least(times[tool])}–{most(times[tool])}× as long" for tool in sorted(times)}
    if len(ranges) > 1 and len(set(ranges.values())) == 1:
        others = f"{' and '.join(ranges)} take {next(iter(ranges.values()))}"
    else:
        others = " and ".join(f"{tool} takes {factor}" for tool, factor in ranges.items())
    return f"An unchanged prompt costs {', '.join(shells)}.\nThere {others}. [Measurements](docs/speed.md).\n"


def page(found: dict) -> str:
    machine, versions = found["machine"], found["versions"]
    parts = [
        "# Speed\n",
        f"`benches/run` wrote this page on {machine['date']}. The values are medians of many runs, with the middle 50% in\n"
        "parentheses. All rows of a table were measured alternately in one run, so that other load on the machine affects all\n"
        "of them. A ratio is the median of the ratios within one round, because the speed of a virtual machine changes between\n"
        "rounds. Each program was checked to work before and after the measurement.\n",
        summary(found),
        "![Cost of an unchanged prompt in bash, zsh and fish: awsrole, zoxide, direnv and mise](speed.svg)\n",
        f"- Machine: {machine['processor']}\n- System: {machine['system']}\n"
        f"- Load: {machine['load']} before, {machine.get('load_after', '?')} after\n"
        + "".join(f"- {version}\n" for version in versions.values())
        + "".join(f"- {INSTALLED.get(tool, tool)} could not be installed, so it was not measured\n" for tool in found["missing"]),
        "## Targets\n",
        goals(found),
        "## An unchanged prompt\n",
        "Seven directories below the project file, in interactive shells that stay open. One prompt calls all functions that are\n"
        "registered for it.\n",
        prompts(found),
        "## A process with a warm cache\n",
        "awsrole: the role is in the cache. direnv and mise: the environment of the shell is up to date or, for a load, has none\n"
        "of the variables of the project yet. The programs of the release's tarballs are static, so no dynamic linker runs.\n",
        processes(found["hits"], "an empty program"),
        "## A process that calls STS\n",
        "The STS is on loopback, without TLS and network latency. The rest is the program itself. The bare call is the minimum\n"
        "that a program with this SDK can do. It stores nothing.\n",
        processes(found["misses"], "the bare call"),
        "## Many profiles, approvals and cache entries\n",
        "A cache hit in a home directory with this number of profiles in `~/.aws/config`, approvals, and cache entries.\n",
        processes(found["growth"], "10 of each"),
    ]
    return "\n".join(parts)


def summary(found: dict) -> str:
    """Returns the sentence about a cached role, and about the load of the machine if it was high."""
    machine, hit = found["machine"], found["hits"][CALL]["median"]
    cores = int(re.search(r"(\d+) cores", machine["processor"])[1])
    busy = "" if float(machine["load"]) <= cores else (
        f" The load was {machine['load']} on {cores} cores,\nso all values are too high.")
    return f"Entering a project whose role is cached costs one process of {show(hit)}.{busy}\n"


def goals(found: dict) -> str:
    hits, misses, growth = found["hits"], found["misses"], found["growth"]
    hit = hits[CALL]
    rows = [("what", "target", "measured", "met")]

    def row(what: str, wanted: str, measured: str, met: bool) -> None:
        rows.append((what, wanted, measured, "yes" if met else "**no**"))

    def at_most(what: str, value: float, limit: float) -> None:
        row(what, f"at most {limit:g} ×", f"{value:.2f} ×", value <= limit)

    def faster(what: str, name: str, limit: float) -> None:
        if name in hits:
            value = hits[name]["against"][CALL]
            row(what, f"at least {limit:g} × faster", f"{value:.1f} ×", value >= limit)
        else:
            rows.append((what, f"at least {limit:g} × faster", "not measured", ""))

    for shell, measured in found["prompts"].items():
        limit, direnv = (12 if shell == "fish" else 30), measured.get("direnv")
        what, wanted = f"an unchanged prompt in {shell} against direnv's", f"at least {limit} × faster"
        if direnv:
            value = direnv["against"]["awsrole"]
            row(what, wanted, f"{value:.1f} ×", value >= limit)
        else:
            rows.append((what, wanted, "not measured", ""))
    at_most("a cache hit against an empty program", hit["against"]["an empty program"], 1.4)
    if STATIC in hits:
        at_most("the same by the release's tarball", hits[STATIC]["against"]["an empty program"], 1.4)
    at_most("a cache hit against `awsrole --version`", hit["against"]["awsrole --version"], 1.3)
    faster("a cache hit against `direnv export` when nothing changed", "direnv export, unchanged", 3)
    faster("a cache hit against a load of direnv", "direnv export, load", 20)
    row("peak memory of a cache hit", "below 10 MB", f"{hit['peak_kib'] / 1000:.1f} MB", hit["peak_kib"] < 10_000)
    at_most("a cache miss against the bare call", misses[CALL]["against"]["the bare call"], 1.2)
    at_most("a large home directory against a small one", max(one["against"]["10 of each"] for one in growth.values()), 2)
    # Measurements of earlier versions have no list.
    if "list" in found:
        opened = found["list"]["median"]
        row("the list of `awsrole use` with 2,000 profiles", "below 100 ms", show(opened), opened < 100_000)
    return table(rows)


def prompts(found: dict) -> str:
    shells = list(found["prompts"])
    rows = [("", *shells)]
    for hook, name in HOOKS.items():
        cells = []
        for shell in shells:
            measured = found["prompts"][shell].get(hook)
            beside = "" if not measured or hook == "awsrole" else f", {ratio(measured['against']['awsrole'])}"
            cells.append(timed(measured) + beside if measured else "not measured")
        rows.append((name, *cells))
    return table(rows) + "\nThe ratios are relative to awsrole.\n"


def processes(measured: dict[str, dict], base: str) -> str:
    memory = any("peak_kib" in one for one in measured.values())
    rows = [("", "time", f"against {base}", *(["peak memory"] if memory else []))]
    for name, one in measured.items():
        peak = f"{one['peak_kib'] / 1000:.1f} MB" if "peak_kib" in one else ""
        rows.append((name, timed(one), ratio(one["against"][base]), *([peak] if memory else [])))
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> str:
    head, *body = (f"| {' | '.join(row)} |\n" for row in rows)
    return head + "|" + "---|" * len(rows[0]) + "\n" + "".join(body)


def timed(one: dict) -> str:
    return f"{show(one['median'])} ({show(one['q1'])} – {show(one['q3'])})"


def show(microseconds: float) -> str:
    if microseconds < 1000:
        return f"{microseconds:.0f} µs" if microseconds >= 10 else f"{microseconds:.1f} µs"
    milliseconds = microseconds / 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"


def ratio(value: float) -> str:
    return f"{value:.0f} ×" if value >= 10 else f"{value:.1f} ×" if value >= 3 else f"{value:.2f} ×"


def least(values: list[float]) -> int:
    return math.floor(min(values))


def most(values: list[float]) -> int:
    return math.ceil(max(values))


# --- the plot --------------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 190, 110, 18, 6, 58
LOW, HIGH = 1, 20_000  # microseconds


def plot(found: dict) -> str:
    """Returns bars on a logarithmic scale. On a linear one awsrole's would be invisible."""
    def x(microseconds: float) -> float:
        share = math.log(min(max(microseconds, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    drawn, y = [], TOP
    for shell, measured in found["prompts"].items():
        drawn.append(f'<text x="16" y="{y + BAR - 4}" class="shell">{shell}</text>')
        for hook, name in HOOKS.items():
            if hook not in measured:
                continue
            one = measured[hook]
            kind = "ours" if hook == "awsrole" else "theirs"
            drawn += [
                f'<text x="{LEFT - 8}" y="{y + BAR - 4}" class="name">{name}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{x(one["median"]) - LEFT:.1f}" height="{BAR}" rx="2" class="{kind}"/>',
                f'<text x="{x(one["median"]) + 6:.1f}" y="{y + BAR - 4}">{show(one["median"])}</text>',
            ]
            y += BAR + GAP
        y += 14
    lines = [
        f'<line x1="{x(value):.1f}" y1="{TOP - 8}" x2="{x(value):.1f}" y2="{y - 10}"/>'
        f'<text x="{x(value):.1f}" y="{y + 6}" class="tick">{label}</text>'
        for value, label in ((1, "1 µs"), (10, "10 µs"), (100, "100 µs"), (1000, "1 ms"), (10_000, "10 ms"))
    ]
    machine = found["machine"]
    note = f"{machine['processor']}; {machine['date']}"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 44}" font-family="system-ui, sans-serif" font-size="13">
<title>Cost of an unchanged prompt</title>
<style>
text {{ fill: #1f2328 }} .shell {{ font-weight: 600 }} .name {{ text-anchor: end }} .tick, .note {{ fill: #656d76; font-size: 11px }}
.tick {{ text-anchor: middle }} .ours {{ fill: #1a7f37 }} .theirs {{ fill: #9aa4af }} line {{ stroke: #d0d7de }} .back {{ fill: #ffffff }}
</style>
<rect width="{WIDTH}" height="{y + 44}" rx="8" class="back"/>
<text x="16" y="30" font-size="15" font-weight="600">Cost of an unchanged prompt, seven directories below the project file</text>
{chr(10).join(lines)}
{chr(10).join(drawn)}
<text x="16" y="{y + 30}" class="note">Logarithmic scale. {escape(note)}</text>
</svg>
"""
