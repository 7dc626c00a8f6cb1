"""Tests that with exactly the policies that `awsrole policy` prints the role works, and that each of them is necessary.
"""

import json

import pytest
from two_account_world import ALICE, HERE, PLANS, THERE, Home, LocalSts, Ministack, Plan, documents, one, strictly

from support.terminal import need


@pytest.fixture(scope="module")
def asked():
    """A local STS that only says who calls."""
    with LocalSts({"user": [ALICE]}) as sts:
        yield sts


@pytest.fixture(scope="module")
def ministack():
    station = Ministack(need("ministack"))
    yield station
    station.stop()


def home(root, sts, plan):
    return Home(root, sts.url, (ALICE["access_key_id"], ALICE["secret_access_key"]), plan)


def needed(plan, pairs):
    return [document for document in documents(pairs) if not (document[0] == "identity" and document[1] in plan.trusted_directly)]


@pytest.mark.parametrize("name", PLANS)
def test_with_the_pair_the_role_is_had_and_without_either_document_not(tmp_path, asked, name):
    plan = PLANS[name]
    pairs = home(tmp_path, asked, plan).pairs()
    assert len(pairs) == len(plan.roles)
    granted, said = strictly(tmp_path, plan, pairs)
    assert granted, said
    for document in needed(plan, pairs):
        granted, said = strictly(tmp_path, plan, pairs, without=document)
        assert not granted, f"it is granted without {document}"
        assert "AccessDenied" in said


@pytest.mark.parametrize("name", [name for name, plan in PLANS.items() if not plan.strict])
def test_ministack_agrees(tmp_path, asked, ministack, name):
    plan = PLANS[name]
    pairs = home(tmp_path, asked, plan).pairs()
    granted, said = ministack.assume(tmp_path, plan, pairs)
    assert granted, said
    for document in needed(plan, pairs):
        granted, said = ministack.assume(tmp_path, plan, pairs, without=document)
        assert not granted, f"it is granted without {document}"
        assert "AccessDenied" in said


CONDITIONS = {
    "external id": ("StringEquals", PLANS["external id"].file.replace("shop/42", "shop/24")),
    "MFA": ("Bool", one()),
    "session name": ("StringEquals", one('role_session_name = "another"\n')),
    "source identity": ("StringEquals", one('source_identity = "another"\n')),
    "MFA and an external id": ("StringEquals", PLANS["MFA and an external id"].file.replace("shop/42", "shop/24")),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_one(tmp_path, asked, name):
    """The documents let in nobody who doesn't meet them."""
    operator, other = CONDITIONS[name]
    pairs = home(tmp_path, asked, PLANS[name]).pairs()
    assert operator in pairs[0]["trust"]["Statement"][0]["Condition"]
    plan = Plan(other, PLANS[name].roles, mfa=PLANS[name].mfa and "mfa_serial" in other)
    assert not strictly(tmp_path, plan, pairs)[0]


def test_text_for_a_person_holds_the_same_documents_each_under_its_account(tmp_path, asked):
    shop = home(tmp_path, asked, PLANS["all at once"])
    pairs, text = shop.pairs(), shop.awsrole("policy").stdout
    blocks = [block.split("\n", 1) for block in text.strip().split("\n\n")]
    documents = [(head, json.loads(body)) for head, body in (block for block in blocks if len(block) == 2)]
    expected = [(account, document) for pair in pairs
                for account, document in ((pair["caller_account"], pair["identity"]), (pair["role_arn"].split(":")[4], pair["trust"]))]
    assert [document for _, document in documents] == [document for _, document in expected]
    for (head, _), (account, _) in zip(documents, expected):
        assert head.startswith("# ") and account in head, head
    assert "attached to user alice" in documents[0][0] and "trust policy of role Deploy" in documents[1][0]
    assert "attached to role Deploy" in documents[2][0] and "trust policy of role Next" in documents[3][0]


def test_it_asks_for_no_code_and_assumes_nothing(tmp_path, asked):
    asked.reset()
    home(tmp_path, asked, PLANS["all at once"]).pairs()
    assert {call["action"] for call in asked.calls()} == {"GetCallerIdentity"}


def test_a_permission_set_is_named_by_its_account_and_a_pattern(tmp_path):
    """A permission set's role has a suffix that changes, so no trust policy can name it for long."""
    assignment = {"user": "alice@example.com", "account": HERE, "role": "Admin", "start_url": "https://corp.example.com/start"}
    with LocalSts({"user": [ALICE], "sso_assignment": [assignment]}) as sts:
        shop = home(tmp_path, sts, Plan(one().replace('"alice"', '"sso"')))
        sts.write_sso_config(shop.path, assignment)
        sts.write_sso_cache(shop.path, sts.sso_sign_in())
        assert shop.awsrole("allow").returncode == 0
        [pair] = shop.pairs()
        text = shop.awsrole("policy").stdout
    statement = pair["trust"]["Statement"][0]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{HERE}:root"}
    assert statement["Condition"] == {
        "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{HERE}:role/aws-reserved/sso.amazonaws.com*/AWSReservedSSO_Admin_*"}}
    assert pair["attach_to"] == "permission set Admin"
    assert "# note: " in text and "IAM Identity Center" in text


@pytest.mark.parametrize("path", ["/aws-reserved/sso.amazonaws.com/", "/aws-reserved/sso.amazonaws.com/eu-west-1/"])
def test_the_pattern_of_a_permission_set_fits_its_role(tmp_path, path):
    """The path has the region of Identity Center, but none for us-east-1 (IAM Identity Center User Guide, "Referencing
    permission sets in resource policies")."""
    region = "eu-west-1" if "eu-west-1" in path else "us-east-1"
    assignment = {"user": "alice@example.com", "account": HERE, "role": "Admin", "start_url": "https://corp.example.com/start", "region": region}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    plan = Plan(one().replace('"alice"', '"sso"'))

    def granted(trust):
        deploy = {"name": "Deploy", "account": THERE, "trust": trust}
        with LocalSts({"user": [ALICE], "role": [deploy], "sso_assignment": [{**assignment, "policy": everything}]}) as sts:
            shop = home(tmp_path, sts, plan)
            sts.write_sso_config(shop.path, assignment)
            sts.write_sso_cache(shop.path, sts.sso_sign_in())
            shop.awsrole("allow")
            return shop.pairs(), shop.assume()

    [pair], (had, _) = granted({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"}]})
    assert not had
    _, (had, said) = granted(pair["trust"])
    assert had, said
