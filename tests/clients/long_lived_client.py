"""Prints the identity of one boto3 client repeatedly, until the file `stop` exists."""

import os
import time

import boto3

client = boto3.client("sts", region_name="us-east-1")
while not os.path.exists("stop"):
    print(client.get_caller_identity()["Arn"], flush=True)
    time.sleep(0.2)
