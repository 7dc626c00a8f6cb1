const { App, CfnOutput, Stack } = require("aws-cdk-lib");
const { Topic } = require("aws-cdk-lib/aws-sns");

const stack = new Stack(new App(), "shop", {
  env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
});
new CfnOutput(stack, "Orders", { value: new Topic(stack, "OrdersTopic").topicArn });
