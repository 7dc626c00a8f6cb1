"""Builds each failure, reads the message and follows it: the cause is in the first rows, and the advice leads to the role."""

import re

import at_aws  # noqa: F401
import on_this_machine  # noqa: F401
import pytest
import sources_fail  # noqa: F401
from broken import ALL, FAILURES, FIRST, rows


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_failure(request, home, note, failure):
    steps = failure.build(home)
    request.addfinalizer(steps.close)
    next(steps)
    result = home.type(failure.words)
    assert result.code != 0, result
    # People's homes have short names. `allow` shows the file before.
    said = rows(result.err[result.err.index("awsrole: "):].replace(str(home.home), "/home/alice"))
    note(failure.name, said[:3])
    # Rows break words.
    text = "".join(said)
    cause = re.search(failure.cause, text)
    assert cause and cause.start() < len("".join(said[:FIRST])), f"/{failure.cause}/ isn't in the first rows of\n" + "\n".join(said)
    before = re.search(failure.misleading, text[:cause.start()])
    assert not before, f"{before[0]!r} comes first in\n" + "\n".join(said)
    # Programs say what they want on their own.
    assert len([row for row in said if not row.startswith("/bin/sh: ")]) <= ALL, "\n".join(said)
    with pytest.raises(StopIteration):
        steps.send(result.err)
    had, err = home.had()
    assert had and not rows(err), (said, err)
