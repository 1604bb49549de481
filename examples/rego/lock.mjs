// Prints the data of the gate: what a package-lock.json (version 2 or 3) names,
// as package URLs with and without their versions, and the repositories given.
//
//     node lock.mjs package-lock.json example/app > data.json
import { readFileSync } from "node:fs";

const [file, ...repositories] = process.argv.slice(2);
const data = { locked: {}, repositories: {} };
for (const [path, { name, version, link }] of Object.entries(JSON.parse(readFileSync(file)).packages)) {
  if (link || !path.includes("node_modules/")) continue;
  // Metadata is asked for by the name alone, before a version is.
  const purl = "pkg:npm/" + (name ?? path.replace(/^.*node_modules\//, "")).replace("@", "%40");
  data.locked[purl] = true;
  data.locked[`${purl}@${encodeURIComponent(version)}`] = true;
}
for (const [owner, name] of repositories.map((r) => r.split("/"))) (data.repositories[owner] ??= {})[name] = true;
console.log(JSON.stringify(data, null, 2));
