terraform {
  required_version = ">= 1.5.0"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 3.39.0" }
  }
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["222222222222"]

  assume_role {
    role_arn     = "arn:aws:iam::222222222222:role/Deploy"
    session_name = "terraform"
  }
}

data "aws_caller_identity" "me" {}

check "account" {
  assert {
    condition     = data.aws_caller_identity.me.account_id == "222222222222"
    error_message = "This is account ${data.aws_caller_identity.me.account_id}, not 222222222222."
  }
}

resource "aws_sns_topic" "orders" {
  name = "orders"
}

output "me" {
  value = data.aws_caller_identity.me.arn
}
