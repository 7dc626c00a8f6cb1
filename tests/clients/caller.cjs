// Prints whom STS takes the AWS SDK for JavaScript for, with whatever its default chain finds.
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");

new STSClient({ region: process.env.AWS_REGION ?? "us-east-1", maxAttempts: 1 })
  .send(new GetCallerIdentityCommand({}))
  .then((identity) => console.log(identity.Arn))
  .catch((error) => {
    console.error(`${error.name}: ${error.message}`);
    process.exit(1);
  });
