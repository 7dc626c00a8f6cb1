"""There are no first credentials."""

import json
import socket
from contextlib import closing

from broken import HERE, THERE, failure, sign_in, typed

from support.proxy import Proxy

NETWORK = "(?i)network|proxy"


@failure(r"sign-in has ended.*`awsrole login`", misleading=NETWORK)
def sso_token_has_expired(home):
    home.sts.write_sso_cache(home.home, home.sts.sso_sign_in(), expired=True)
    home.sts.expire_sso(refresh=True)
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    home.shop("Plain", source="sso")
    yield
    sign_in(home)


@failure(r"sign-in has expired.*`awsrole login`", misleading="hasn't signed in")
def sso_token_has_expired_and_there_is_no_network(home):
    home.sts.write_sso_cache(home.home, home.sts.sso_sign_in(), expired=True)
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        port = one.getsockname()[1]
    home.more = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    home.shop("Plain", source="sso")
    yield
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    sign_in(home)


@failure(r"hasn't signed in.*`awsrole login`", misleading=NETWORK)
def nobody_signed_in_yet(home):
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    home.shop("Plain", source="sso")
    yield
    sign_in(home)


@failure(r"Auditor isn't assigned to you in account 111111111111", misleading=NETWORK)
def permission_set_is_not_assigned(home):
    home.config(more="[profile auditor]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Auditor\n")
    home.sts.write_sso_cache(home.home, home.sts.sso_sign_in())
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    home.shop("Plain", source="auditor")
    yield
    home.shop("Plain", source="sso")


@failure(r"config:\d+: sso_account_id .* must be the 12 digits", misleading="in quotes")
def sso_account_id_is_no_account(home):
    home.config(more="[profile bad]\nsso_session = corp\nsso_account_id = 1111-1111-1111\nsso_role_name = Admin\n")
    home.sts.write_sso_cache(home.home, home.sts.sso_sign_in())
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    home.shop("Plain", source="bad")
    said = yield
    assert "in quotes" not in said
    path = home.home / ".aws/config"
    path.write_text(path.read_text().replace("1111-1111-1111", HERE))


def keys_of_alice(home) -> str:
    from broken import ALICE

    keys = {"Version": 1, "AccessKeyId": ALICE["access_key_id"], "SecretAccessKey": ALICE["secret_access_key"]}
    return str(home.write("keys.json", json.dumps(keys)))


@failure(r"isn't the JSON.*run it yourself: ~?\S*helper", misleading=NETWORK)
def process_prints_something_else(home):
    helper = home.write("helper", "#!/bin/sh\necho Please log in first\n")
    helper.chmod(0o755)
    home.config(process=str(helper))
    home.shop("Plain", source="process")
    said = yield
    home.run_typed(typed(said, r"run it yourself: (\S*helper)\n"))
    helper.write_text(f"#!/bin/sh\ncat {keys_of_alice(home)}\n")


@failure(r"within 1 s.*`process` in \[limits\]", misleading=NETWORK)
def process_takes_too_long(home):
    home.write(".config/awsrole/config.toml", "[limits]\nprocess = 1\n")
    home.config(process=f"sh -c 'sleep 3; cat {keys_of_alice(home)}'")
    home.shop("Plain", source="process")
    yield
    home.write(".config/awsrole/config.toml", "[limits]\nprocess = 30\n")


@failure(r"was not found.*run it yourself: no-such-helper --json", misleading=NETWORK)
def process_is_not_installed(home):
    home.config(process="no-such-helper --json")
    home.shop("Plain", source="process")
    yield
    home.config(process=f"cat {keys_of_alice(home)}")


@failure(r"token: No such file|No such file", misleading=NETWORK)
def token_file_is_missing(home):
    home.shop_with('profile = "web"\n')
    said = yield
    assert "web_identity_token_file" in said
    home.write("token", home.sts.id_token(subject="repo:org/app:main"))


@failure(r"proxy", misleading=r"(?i)audience|expired|the token must")
def proxy_refuses_the_call_of_a_web_identity(home):
    home.write("token", home.sts.id_token(subject="repo:org/app:main"))
    path = home.home / ".aws/config"
    path.write_text(path.read_text().replace(f"[profile web]\nendpoint_url = {home.sts.url}", "[profile web]"))
    home.shop_with('profile = "web"\n')
    with Proxy({}) as proxy:
        home.more = {"HTTPS_PROXY": proxy.url}
        said = yield
        assert f"HTTPS_PROXY is {proxy.url}" in said
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}


@failure(r"no role: attach an instance profile|has no role", misleading=NETWORK)
def instance_has_no_role(home):
    home.shop_with(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"\ncredential_source = "Ec2InstanceMetadata"\n')
    home.more = {"AWS_ENDPOINT_URL": home.sts.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": home.sts.url}
    home.sts.fault(action="GetInstanceRole", error={"status": 404, "code": "404", "message": "Not Found"})
    yield
    home.sts.clear_faults()


@failure(r"403.*AWS_CONTAINER_AUTHORIZATION_TOKEN", misleading="(?i)policy")
def container_refuses_the_token(home):
    home.shop_with(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"\ncredential_source = "EcsContainer"\n')
    right = {"AWS_ENDPOINT_URL": home.sts.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{home.sts.url}/v1/credentials"}
    home.more = {**right, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic wrong"}
    yield
    home.more = {**right, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic c2VjcmV0"}


@failure(r"environment has no AWS_ACCESS_KEY_ID", misleading=NETWORK)
def environment_has_no_keys(home):
    from broken import ALICE

    home.shop_with(f'role_arn = "arn:aws:iam::{THERE}:role/Plain"\ncredential_source = "Environment"\n')
    home.more = {"AWS_ENDPOINT_URL": home.sts.url}
    yield
    home.more = {**home.more, "AWS_ACCESS_KEY_ID": ALICE["access_key_id"], "AWS_SECRET_ACCESS_KEY": ALICE["secret_access_key"]}


@failure(r"no profile `alcie`.*did you mean `alice`")
def source_profile_is_misspelt(home):
    home.shop("Plain", source="alcie")
    said = yield
    home.add(f'source_profile = "{typed(said, r"did you mean `([^`]*)`")}"')
