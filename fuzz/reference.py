"""What botocore reads in both AWS files of a home: a line of JSON for each line on stdin, `null` for what it can't read.

targets/profiles.rs asks. The sections are put together as in botocore's `Session.full_config`.
"""

import json
import sys

from botocore import configloader
from botocore.exceptions import ConfigParseError

home = sys.argv[1]


def read():
    try:
        config = configloader.load_config(f"{home}/.aws/config")
        credentials = configloader.raw_config_parse(f"{home}/.aws/credentials")
    except ConfigParseError:
        return None
    for name, settings in credentials.items():
        config["profiles"].setdefault(name, {}).update(settings)
    return [config["profiles"], config["sso_sessions"], config["services"]]


for _ in sys.stdin:
    print(json.dumps(read()), flush=True)
