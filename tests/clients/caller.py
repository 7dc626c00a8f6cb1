"""Prints the identity that boto3's default credential chain finds."""

import sys

import boto3

try:
    print(boto3.client("sts", region_name="us-east-1").get_caller_identity()["Arn"])
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
