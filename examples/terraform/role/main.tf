terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 3.39.0" }
  }
}

provider "aws" {
  region = "eu-central-1"
}

data "aws_caller_identity" "me" {}

resource "aws_sns_topic" "orders" {
  name = "orders"
}

output "me" {
  value = data.aws_caller_identity.me.arn
}
