// Prints whom STS takes the AWS SDK for JavaScript for, again and again with one client, until the file `stop` is there.
const { existsSync } = require("node:fs");
const { setTimeout } = require("node:timers/promises");
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");

(async () => {
  const client = new STSClient({ region: "us-east-1", maxAttempts: 1 });
  while (!existsSync("stop")) {
    console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
    await setTimeout(200);
  }
})().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
});
