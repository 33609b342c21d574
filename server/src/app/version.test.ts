import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { version } from "#app/version.ts";

for (const path of ["package.json", "server/package.json", "contract/package.json"]) {
  test(`the version that the program tells is that of ${path}`, () => {
    const text = readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
    // npm itself would not install a package.json without a version.
    const { version: packaged } = JSON.parse(text) as { readonly version: string };
    assert.equal(version, packaged);
  });
}
