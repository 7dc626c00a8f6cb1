"""Tests the messages if a source provides no credentials: a process, Identity Center, metadata, a container, a token.
"""

import json
import os
import socket

from failure_world import file, source


def process(world, says, command, **options):
    world.config(process=command)
    world.shop(file("Plain", source="process"))
    says(**options)


def test_process_fails(world, says):
    """The credential_process fails and prints its own error."""
    process(world, says, "sh -c 'echo vault: permission denied >&2; exit 2'")


def test_process_is_not_there(world, says):
    """The credential_process isn't installed."""
    process(world, says, "no-such-program --json", env={"PATH": "/usr/bin:/bin"})


def test_process_prints_no_json(world, says):
    """The credential_process prints no JSON."""
    process(world, says, "echo Please log in first")


def test_process_prints_nothing(world, says):
    """The credential_process prints nothing."""
    process(world, says, "true")


def test_process_of_another_version(world, says):
    """The credential_process prints a version that SDKs don't know."""
    keys = {"Version": 2, "AccessKeyId": "ASIAX", "SecretAccessKey": "x"}
    process(world, says, f"echo '{json.dumps(keys)}'")


def test_process_with_an_expiration_that_is_no_time(world, says):
    """The credential_process prints an invalid expiration."""
    keys = {"Version": 1, "AccessKeyId": "ASIAX", "SecretAccessKey": "x", "SessionToken": "x", "Expiration": "tomorrow"}
    process(world, says, f"echo '{json.dumps(keys)}'")


def test_process_takes_too_long(world, says):
    """The credential_process hangs."""
    world.write(".config/awsrole/config.toml", "[limits]\nprocess = 1\n")
    process(world, says, "exec sleep 30")


def test_process_leads_back(world, says):
    """The credential_process is awsrole itself, for the same directory."""
    process(world, says, f"{world.binary} credential-process --dir {world.home}/src/shop")


def test_identity_center_signed_out(world, says):
    """The user hasn't signed in."""
    world.shop(file("Plain", source="sso"))
    says(env=world.endpoint)


def test_identity_center_session_is_over(world, says):
    """The sign-in has ended, and the refresh token is invalid, too."""
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in(), expired=True)
    world.sts.expire_sso(refresh=True)
    world.shop(file("Plain", source="sso"))
    says(env=world.endpoint)


def test_identity_center_withdrew_the_sign_in(world, says):
    """The token seems valid, but the portal rejects it, because an administrator ended the session."""
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    world.sts.expire_sso(refresh=True)
    world.shop(file("Plain", source="sso"))
    says(env=world.endpoint)


def test_identity_center_does_not_assign_it(world, says):
    """The user is signed in, but the permission set isn't assigned in that account."""
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    world.shop(file("Plain", source="sso-other"))
    says(env=world.endpoint)


def test_identity_center_is_unreachable(world, says):
    """The user is signed in, but the portal is unreachable."""
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    world.shop(file("Plain", source="sso"))
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    says(env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})


def test_login_is_denied(world, says):
    """The user denies the sign-in in the browser."""
    world.sts.fault(action="CreateToken", error={"status": 400, "code": "AccessDeniedException", "message": "denied"})
    world.shop(file("Plain", source="sso"))
    says("login --no-browser", env=world.endpoint)


def test_login_is_not_confirmed(world, says):
    """The user doesn't confirm the sign-in in time."""
    world.sts.fault(action="CreateToken", error={"status": 400, "code": "ExpiredTokenException", "message": "Device code expired"})
    world.shop(file("Plain", source="sso"))
    says("login --no-browser", env=world.endpoint)


def test_login_at_another_organization(world, says):
    """The start URL doesn't belong to the access portal of the region."""
    world.shop(file("Plain"))
    says("login --no-browser --start-url https://other.example.com/start --region us-east-1", env=world.endpoint)


def test_login_to_a_session_with_other_values(world, says):
    """The user describes a session that exists with another start URL."""
    world.shop(file("Plain"))
    says("login --start-url https://other.example.com/start --region us-east-1 corp")


def test_login_to_a_misspelled_session(world, says):
    """No [sso-session NAME] has the name."""
    world.shop(file("Plain"))
    says("login crop")


def test_sign_out_without_a_network(world, says):
    """The access portal is unreachable."""
    world.sts.write_sso_cache(world.home, world.sts.sso_sign_in())
    world.shop(file("Plain", source="sso"))
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    says("logout --sso", env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})


def test_login_where_there_is_nothing_to_sign_in_to(world, says):
    """`awsrole login` for a profile with keys."""
    world.shop(file("Plain"))
    says("login")


def test_console_session_is_missing(world, says):
    """The user hasn't run `aws login`."""
    world.shop(file("Plain", source="console"))
    says(env=world.endpoint)


def test_console_sign_in_without_a_terminal(world, says):
    """There is neither a browser nor a terminal, where the code of another browser could be entered."""
    world.shop(file("Plain", source="console"))
    says("login", env=world.endpoint)


def test_console_sign_in_as_another_user(world, says):
    """The browser is signed in to the console as another identity than that of the profile."""
    world.shop(file("Plain", source="console"))
    world.write("bin/xdg-open", '#!/bin/sh\ncurl -s -L -o /dev/null "$1" &\n').chmod(0o755)
    says("login", env={**world.endpoint, "DISPLAY": ":0", "PATH": f"{world.home}/bin:{os.environ['PATH']}"})


def test_metadata_is_unreachable(world, says):
    """A laptop, which has no instance metadata."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    world.shop(source("Ec2InstanceMetadata"))
    says(env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}"})


def test_metadata_are_disabled(world, says):
    """AWS_EC2_METADATA_DISABLED disables instance metadata."""
    world.shop(source("Ec2InstanceMetadata"))
    says(env={**world.endpoint, "AWS_EC2_METADATA_DISABLED": "true"})


def test_instance_without_a_role(world, says):
    """The instance has no instance profile."""
    world.sts.fault(action="GetInstanceRole", error={"status": 404, "code": "NotFound", "message": "Not Found"})
    world.shop(source("Ec2InstanceMetadata"))
    says(env=world.endpoint)


def test_metadata_refuse_tokens(world, says):
    """The instance metadata service rejects IMDSv2."""
    world.sts.fault(action="GetMetadataToken", error={"status": 403, "code": "Forbidden", "message": "Forbidden"})
    world.shop(source("Ec2InstanceMetadata"))
    says(env=world.endpoint)


def test_container_without_an_address(world, says):
    """Outside of a container: no variable contains the endpoint."""
    world.shop(source("EcsContainer"))
    says(env=world.endpoint)


def test_container_refuses(world, says):
    """The container's token is invalid."""
    world.shop(source("EcsContainer"))
    says(env={**world.endpoint, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{world.sts.url}/v1/credentials",
              "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic d3Jvbmc="})


def test_container_address_is_elsewhere(world, says):
    """The endpoint is on another machine and has no TLS, so SDKs refuse it."""
    world.shop(source("EcsContainer"))
    says(env={**world.endpoint, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/v1/credentials"})


def test_environment_has_no_keys(world, says):
    """`credential_source = "Environment"`, but the environment has no keys."""
    world.shop(source("Environment"))
    says()


def web(world, says):
    world.shop('profile = "web"\n')
    says(env=world.endpoint)


def test_token_file_is_missing(world, says):
    """The file with the web identity token doesn't exist."""
    web(world, says)


def test_token_has_expired(world, says):
    """The web identity token has expired."""
    world.write("token", world.sts.id_token(subject="repo:org/app:main", lifetime_seconds=-60))
    web(world, says)


def test_token_of_another_repository(world, says):
    """The trust policy requires the token of another repository."""
    world.write("token", world.sts.id_token(subject="repo:org/other:main"))
    web(world, says)


def test_token_for_another_audience(world, says):
    """The token has the audience of another service."""
    world.write("token", world.sts.id_token(subject="repo:org/app:main", audience="https://vault.example.com"))
    web(world, says)


def test_token_is_none(world, says):
    """The file contains no token."""
    world.write("token", "hello\n")
    web(world, says)
