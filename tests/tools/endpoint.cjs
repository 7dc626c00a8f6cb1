// Serverless 3 has an SDK that knows no AWS_ENDPOINT_URL. With NODE_OPTIONS=--require it goes there all the same.
const Module = require("module");
const load = Module._load;
Module._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest);
  if (name === "aws-sdk" && loaded?.config) {
    loaded.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
  return loaded;
};
