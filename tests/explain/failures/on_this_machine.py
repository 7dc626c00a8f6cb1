"""The network, the disk, or a file is in the way."""

import os
import socket
import subprocess
from contextlib import closing
from pathlib import Path

from broken import THERE, failure, typed

from support.terminal import need

PROXY = "(?i)proxy|proxies"


def elsewhere(home, url: str, **more: str) -> None:
    home.more = {"AWS_ENDPOINT_URL_STS": url, **more}


@failure(r"cannot resolve sts\.nowhere\.invalid", misleading=PROXY)
def name_does_not_resolve(home):
    home.shop("Plain")
    elsewhere(home, "https://sts.nowhere.invalid")
    said = yield
    assert "proxy" not in said.lower()
    home.more = {}


@failure(r"cannot resolve sts\.example\.com.*DNS server doesn't answer", misleading=PROXY)
def dns_server_is_silent(home):
    library = home.root / "silent.so"
    source = Path(__file__).with_name("silent_resolver.c")
    subprocess.run([need("cc"), "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    home.write(".config/awsrole/config.toml", "[limits]\nconnect = 1\nattempt = 3\nwhole = 8\n")
    home.shop("Plain")
    elsewhere(home, "https://sts.example.com", LD_PRELOAD=str(library))
    yield
    home.more = {}


@failure(r"is unreachable.*Connection refused", misleading=PROXY)
def nobody_listens(home):
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        port = one.getsockname()[1]
    home.shop("Plain")
    elsewhere(home, f"http://127.0.0.1:{port}")
    yield
    home.more = {}


@failure(r"HTTPS_PROXY is http://127\.0\.0\.1:\d+")
def proxy_is_switched_off(home):
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        port = one.getsockname()[1]
    path = home.home / ".aws/config"
    right = path.read_text()
    path.write_text(right.replace(f"endpoint_url = {home.sts.url}\n", ""))
    home.shop("Plain")
    home.more = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
    yield
    home.more = {}
    path.write_text(right)


@failure(r"FIPS", misleading="(?i)network|unreachable")
def fips_with_a_custom_endpoint(home):
    home.shop("Plain")
    home.more = {"AWS_USE_FIPS_ENDPOINT": "true"}
    said = yield
    assert "AWS_USE_FIPS_ENDPOINT" in said
    home.more = {}


@failure(r"AWS_CA_BUNDLE .*gone\.pem can't be read")
def ca_bundle_is_gone(home):
    home.shop("Plain")
    home.more = {"AWS_CA_BUNDLE": "/nowhere/gone.pem"}
    yield
    home.more = {}


@failure(r"isn't a URL", misleading="(?i)network")
def endpoint_has_no_scheme(home):
    home.shop("Plain")
    elsewhere(home, "sts.example.com")
    said = yield
    assert "https://" in said
    elsewhere(home, home.sts.url)


@failure(r"belongs to account 222222222222, but account_id pins 333333333333")
def pin_is_of_another_account(home):
    home.shop("Plain", account_id="333333333333")
    yield
    home.add(f'account_id = "{THERE}"')


@failure(r"names a session, not the role: arn:aws:iam::222222222222:role/Plain", words="allow")
def arn_of_a_session(home):
    bad = f'role_arn = "arn:aws:sts::{THERE}:assumed-role/Plain/alice"\nsource_profile = "alice"\n'
    home.shop("Plain")
    home.write("src/shop/.awsrole.toml", bad)
    said = yield
    home.add(f'role_arn = "{typed(said, r"not the role: (arn:aws:iam::222222222222:role/Plain)")}"')


@failure(r"partition aws-cn, the credentials of profile alice in aws", misleading="us-east-1|deleted")
def role_is_in_another_partition(home):
    path = home.home / ".aws/config"
    path.write_text(path.read_text().replace("[profile alice]\n", "[profile alice]\nregion = eu-west-1\n"))
    home.shop_with(f'role_arn = "arn:aws-cn:iam::{THERE}:role/Plain"\nsource_profile = "alice"\n')
    yield
    assert not home.sts.calls(), "it is compared before any call"
    home.add(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"')


@failure(r"\.local", words="allow", misleading="disk")
def home_is_not_writable(home):
    home.project("shop", f'role_arn = "arn:aws:iam::{THERE}:role/Plain"\nsource_profile = "alice"\n')
    local = home.home / ".local"
    local.mkdir(exist_ok=True)
    for path in sorted(local.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    local.chmod(0o555)
    home.wrapper = () if os.geteuid() else (need("setpriv"), "--bounding-set", "-dac_override,-dac_read_search")
    said = yield
    home.run_typed(typed(said, r"`(chmod [^`]+)`"))
    assert home.type("allow").code == 0


@failure(r"awsrole allow")
def file_was_edited(home):
    home.shop("Plain")
    home.write("src/shop/.awsrole.toml", (home.folder / ".awsrole.toml").read_text() + 'region = "eu-west-1"\n')
    said = yield
    assert home.type(typed(said, r"`awsrole (allow)`")).code == 0


@failure(r"integer.*in quotes", words="allow")
def account_is_written_without_quotes(home):
    home.shop("Plain")
    home.write("src/shop/.awsrole.toml", (home.folder / ".awsrole.toml").read_text() + f"account_id = {THERE}\n")
    yield
    home.add(f'account_id = "{THERE}"')
