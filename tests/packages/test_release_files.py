"""Tests what packaging/release-files writes, and the other descriptions of a release: version and checksums have one
source each, and each package manager reads its file.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from support.documents import blocks
from support.tarball import TARGET
from support.terminal import need

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
VERSION, REPOSITORY = WORKSPACE["version"], WORKSPACE["repository"]
RELEASE = f"{REPOSITORY}/releases/download/v{VERSION}"
TARGETS = [f"{machine}-{system}" for machine in ("aarch64", "x86_64") for system in ("apple-darwin", "unknown-linux-musl")]
MACHINE = os.uname().machine


def tarball(target):
    return f"awsrole-{VERSION}-{target}.tar.gz"


@pytest.fixture
def dist(release):
    """A release of all systems. Only this machine's tarball exists."""
    sums = release / "SHA256SUMS"
    own = sums.read_text()
    others = [f"{number:064x}  {tarball(target)}\n" for number, target in enumerate(TARGETS) if target != TARGET]
    sums.write_text(own + "".join(others))
    return release


@pytest.fixture
def files(dist):
    subprocess.run([ROOT / "packaging/release-files", dist], check=True, capture_output=True)
    written = [path for path in dist.rglob("*") if path.is_file() and not path.name.endswith(".gz")]
    for path in written:
        assert not re.search(r"@[A-Z][A-Z0-9]*[:@]", path.read_text()), f"{path.name} is filled in"
    return dist


def sums(dist):
    return {name: digest for digest, name in (line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines())}


def test_a_missing_checksum_is_an_error(dist):
    lines = (dist / "SHA256SUMS").read_text().splitlines(True)
    (dist / "SHA256SUMS").write_text("".join(line for line in lines if "apple" not in line))
    done = subprocess.run([ROOT / "packaging/release-files", dist], capture_output=True, text=True)
    assert done.returncode == 1 and f"lists no awsrole {VERSION} for aarch64-apple-darwin" in done.stderr
    assert not (dist / "awsrole.rb").exists()


# What a formula calls, which records the downloads and the installed files.
HOMEBREW = r"""
class Formula
  def self.method_missing(name, *words, &block)
    ($said[name] ||= []) << words.first unless words.empty?
    instance_eval(&block) if block
  end

  # Kernel has a private method of this name.
  def self.test; end
end
$said = {}
load ARGV[0]
puts $said.to_a.map { |name, words| "#{name}\t#{words.join("\t")}" }
"""


def test_the_homebrew_formula(files, tmp_path):
    formula = files / "awsrole.rb"
    judged = subprocess.run([need("ruby"), "-wc", formula], check=True, capture_output=True, text=True)
    assert (judged.stdout, judged.stderr) == ("Syntax OK\n", "")
    said = subprocess.run(["ruby", "-e", HOMEBREW, formula], check=True, capture_output=True, text=True).stdout
    said = {name: words for name, *words in (line.split("\t") for line in said.splitlines())}
    assert said["version"] == [VERSION] and said["homepage"] == [REPOSITORY]
    names = [url.removeprefix(f"{RELEASE}/") for url in said["url"]]
    assert sorted(names) == sorted(map(tarball, TARGETS))
    assert said["sha256"] == [sums(files)[name] for name in names]
    # Everything that it installs is in the tarball.
    members = subprocess.run(["tar", "-tzf", files / tarball(TARGET)], check=True, capture_output=True, text=True).stdout
    for path in re.findall(r'"((?:bin|share)/[^"]*)"', formula.read_text()):
        assert f"/{path.removesuffix('*')}" in members, path


def test_the_pkgbuild_builds_a_package(files, tmp_path):
    need("makepkg")
    judged = subprocess.run([need("shellcheck"), files / "PKGBUILD"], capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout
    folder = tmp_path / "aur"
    folder.mkdir()
    for name in ("PKGBUILD", tarball(TARGET)):
        shutil.copy(files / name, folder)
    # makepkg refuses to run as root.
    as_user = [] if os.geteuid() else [need("unshare"), "--user", "--map-user=1000", "--map-group=1000"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PKGEXT": ".pkg.tar", "PACKAGER": "test <test@example.test>",
           "CARCH": MACHINE, "PACMAN": "true"}
    done = subprocess.run([*as_user, "makepkg", "--nodeps", "--noconfirm"], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [package] = folder.glob("*.pkg.tar")
    assert package.name == f"awsrole-bin-{VERSION}-1-{MACHINE}.pkg.tar"
    members = subprocess.run(["tar", "-tf", package], check=True, capture_output=True, text=True).stdout.splitlines()
    assert {"usr/bin/awsrole", "usr/bin/awsrole-hook", "usr/share/man/man1/awsrole.1.gz",
            "usr/share/licenses/awsrole-bin/LICENSE-MIT"} <= set(members)


def test_the_installer_gets_its_own_version_or_another(files, tmp_path):
    """The address of a release isn't reachable here, so the error shows it."""
    for words, version in ((), VERSION), (("--version", "9.8.7"), "9.8.7"):
        done = subprocess.run(["sh", files / "install.sh", *words], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
                              capture_output=True, text=True)
        assert done.returncode == 1 and f"cannot get {REPOSITORY}/releases/download/v{version}/SHA256SUMS" in done.stderr, done.stderr
    for shell, line in ("/bin/bash", "~/.bashrc"), ("/usr/bin/nu", "docs/shells.md"):
        done = subprocess.run(["sh", files / "install.sh", "--to", tmp_path / "bin", "--from", files], capture_output=True, text=True,
                              env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SHELL": shell})
        assert done.returncode == 0 and line in done.stderr, done.stderr


def block(document, world):
    [found] = [block for block in blocks() if block.world == world and block.document.name == document]
    return found


def test_the_commands_of_the_installation_page(files, tmp_path):
    """As a person types them next to the files of a release."""
    home = tmp_path / "home"
    home.mkdir()
    installer = files / "install.sh"
    installer.write_text(installer.read_text().replace(RELEASE.replace(VERSION, "{version}"), str(files)))
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    for line in [*block("install.md", "verify").lines, *block("install.md", "installer").lines]:
        done = subprocess.run(["sh", "-c", line], cwd=files, env=env, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
    assert not (home / ".local/bin/awsrole").exists() and (home / "tools/share/man/man1/awsrole.1").exists()


def test_the_dev_container_of_the_documents(files):
    """The feature exists, and its user's runtime directory is one that awsrole accepts."""
    described = json.loads(block("containers.md", "devcontainer").text)
    assert [path.removeprefix("./") for path in described["features"]] == [path.name for path in (files / "devcontainer").iterdir()]
    [tmpfs] = described["runArgs"]
    assert tmpfs == f"--tmpfs={described['containerEnv']['XDG_RUNTIME_DIR']}:mode=0700,uid=1000"


def test_the_checksum_of_the_feature_for_dev_containers(files):
    """It is in the list once, and the same sources give the same bytes."""
    name = "awsrole-devcontainer.tar.gz"
    first = (files / "SHA256SUMS").read_text()
    check = ["sha256sum", "--check", "--strict", "--ignore-missing", "SHA256SUMS"]
    assert f"{name}: OK" in subprocess.run(check, cwd=files, check=True, capture_output=True, text=True).stdout
    subprocess.run([ROOT / "packaging/release-files", files], check=True, capture_output=True)
    assert (files / "SHA256SUMS").read_text() == first and first.count(name) == 1


def test_the_feature_for_dev_containers(files, bare, tmp_path):
    subprocess.run(["tar", "-xzf", files / "awsrole-devcontainer.tar.gz", "-C", tmp_path], check=True)
    feature = tmp_path / "devcontainer/awsrole"
    described = json.loads((feature / "devcontainer-feature.json").read_text())
    assert described["id"] == feature.name and described["version"] == VERSION == described["options"]["version"]["default"]
    assert all({"type", "default", "description"} <= option.keys() for option in described["options"].values())
    installer = feature / "release-install.sh"
    text = installer.read_text()
    assert f"releases='{REPOSITORY}/releases/download/v{{version}}'" in text
    installer.write_text(text.replace(REPOSITORY, "/srv"))
    shutil.copytree(feature, bare.root / "feature")
    shutil.copytree(files, bare.root / f"srv/releases/download/v{VERSION}", ignore=shutil.ignore_patterns("devcontainer"))
    for _ in range(2):
        bare.run("env", f"VERSION={VERSION}", "HOOK=true", "sh", "/feature/install.sh")
    lines = (bare.root / "etc/bash.bashrc").read_text()
    assert lines.count("awsrole hook bash") == 1, "the second time it is there"
    assert "awsrole hook zsh" in (bare.root / "etc/zshrc").read_text()
    shown = bare.run("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "env", "HOME=/home/dev", "bash", "-ic",
                     "cd /; type -t __awsrole_hook; awsrole --version")
    assert shown.startswith("function\nawsrole "), shown


def test_the_nix_flake(tmp_path):
    names = ["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"]
    packages = " ".join(f"{name} = pkgs;" for name in names)
    code = f"""
      let
        pkgs = {{ rustPlatform.buildRustPackage = args: args; installShellFiles = "";
                 lib.licenses = {{ mit = "MIT"; asl20 = "Apache-2.0"; }}; }};
        self = {{ outPath = "/source"; shortRev = "1f2e3d4"; }};
        packages = ((import {ROOT}/flake.nix).outputs {{ inherit self; nixpkgs.legacyPackages = {{ {packages} }}; }}).packages;
      in builtins.mapAttrs (_: system: {{ inherit (system.default) version env meta cargoBuildFlags; }}) packages"""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | {
        f"NIX_{kind}_DIR": str(tmp_path / kind) for kind in ("STORE", "STATE", "LOG")}
    words = [need("nix-instantiate"), "--eval", "--strict", "--json", "--expr", code]
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found) == sorted(names)
    for package in found.values():
        assert package["version"] == VERSION and package["env"] == {"AWSROLE_COMMIT": "1f2e3d4"}
        assert package["meta"]["homepage"] == REPOSITORY and package["meta"]["license"] == ["MIT", "Apache-2.0"]


def test_cargo_binstall_finds_the_programs(built):
    metadata = tomllib.loads((ROOT / "crates/awsrole/Cargo.toml").read_text())["package"]["metadata"]["binstall"]
    values = {"repo": REPOSITORY, "version": VERSION, "target": TARGET, "bin": "awsrole-hook", "binary-ext": ""}
    url, path = (re.sub(r"\{ ([a-z-]+) \}", lambda found: values[found[1]], metadata[key]) for key in ("pkg-url", "bin-dir"))
    assert url == f"{RELEASE}/{tarball(TARGET)}" and metadata["pkg-fmt"] == "tgz"
    members = subprocess.run(["tar", "-tzf", built / tarball(TARGET)], check=True, capture_output=True, text=True).stdout.splitlines()
    assert path in members


def test_every_crate_is_described():
    words = [need("cargo"), "metadata", "--no-deps", "--offline", "--format-version=1"]
    crates = json.loads(subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout)["packages"]
    assert len(crates) >= 7
    for crate in crates:
        assert crate["description"] and crate["license"] == "MIT OR Apache-2.0" and crate["repository"] == REPOSITORY, crate["name"]
        assert crate["version"] == VERSION and crate["rust_version"] == WORKSPACE["rust-version"]
        assert crate["publish"] == [], f"{crate['name']} is not published by accident"
    [main] = [crate for crate in crates if crate["name"] == "awsrole"]
    assert 1 <= len(main["keywords"]) <= 5 and main["categories"] and main["readme"]


def test_a_tag_is_that_of_the_version():
    check = ROOT / "packaging/check-tag"

    def faults(tag, repository):
        return subprocess.run([check, tag, repository], capture_output=True, text=True).stderr

    assert "the tag is v9.9.9" in faults("v9.9.9", REPOSITORY)
    assert "this repository is https://example.test/x" in faults(f"v{VERSION}", "https://example.test/x")
    assert faults(f"v{VERSION}", REPOSITORY) in ("", f"packaging/check-tag: CHANGELOG.md has no section for {VERSION} with a date\n")
