// Runs one script in a process of its own. Started as `node main.mjs SOCKET LIFE`: the conversation goes over
// the first socket; when the second one closes, the process that started this one is gone.

import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { numberOf, open, receive, send } from "./channel.mjs";

const ENDINGS = [".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"];
const SDK = new URL("./patterns.mjs", import.meta.url).href;
const require = nodeModule.createRequire(import.meta.url);
let ended = false;

new Worker(new URL("./life.mjs", import.meta.url), { workerData: Number(process.argv[3]) }).unref();
open(Number(process.argv[2]));
send({ call: "hello", version: process.version, able: typeof nodeModule.registerHooks === "function" });
const run = receive();
nodeModule.registerHooks({ resolve, load });
process.argv = [process.argv[0], join(run.folder, run.script)];
process.on("uncaughtException", fail);
process.on("beforeExit", () => end({ call: "end" }));
process.on("exit", leave);
try {
  await import(pathToFileURL(join(run.folder, run.script)).href);
} catch (error) {
  fail(error);
}

function end(message) {
  if (ended) return;
  ended = true;
  send(message);
}

function leave(code) {
  // 13: the script waits for something at its top level that nothing will bring.
  if (code === 0) end({ call: "end" });
  const message = code === 13 ? "the script waits for something that never comes" : `the script called process.exit(${code})`;
  end({ call: "failed", code: "process-exited", message, number: null, trace: [message], where: null });
}

function fail(error) {
  const isError = error instanceof Error;
  const name = isError ? (error.name ?? "Error") : typeof error;
  const text = isError ? error.message : String(error);
  const family = ["node", "temporary", "permanent"].includes(error?.family) ? error.family : "node";
  end({
    call: "failed",
    number: numberOf(error),
    message: error?.family === undefined ? `${name}: ${text}` : text,
    family,
    code: error?.family === undefined ? "script-failed" : String(error.code),
    hint: error?.hint ?? null,
    trace: isError ? shown(error) : [`${name}: ${text}`],
    where: isError ? place(error) : null,
  });
  process.exit(1);
}

/** Give the error and the author's own lines of its trace. */
function shown(error) {
  const lines = String(error.stack ?? error).split("\n");
  const ours = new URL(".", import.meta.url).href;
  return lines.filter((line) => !line.includes(ours) && !line.includes("(node:") && !line.includes("at node:"));
}

/** Give the author's line that the error comes from, as `file:line`. */
function place(error) {
  for (const found of String(error.stack ?? "").matchAll(/(file:\/\/[^\s():]+|\/[^\s():]+):(\d+)(?::\d+)?/g)) {
    const path = found[1].startsWith("file:") ? fileURLToPath(found[1]) : found[1];
    if (path.startsWith(run.folder + sep) && !path.includes(`${sep}node_modules${sep}`)) {
      return `${named(path)}:${found[2]}`;
    }
  }
  return null;
}

function named(path) {
  return relative(run.folder, path).split(sep).join("/");
}

function resolve(specifier, context, next) {
  if (specifier === "patterns") return { url: SDK, format: "module", shortCircuit: true };
  const isOurs = /^\.{1,2}(\/|$)/.test(specifier) && context.parentURL?.startsWith("file:");
  const found = isOurs ? sibling(new URL(specifier, context.parentURL)) : gone(specifier);
  if (found === null) return next(specifier, context);
  if (!existsSync(found)) return { url: pathToFileURL(found).href, format: formatOf(found), shortCircuit: true };
  return next(context.conditions?.includes("require") ? found : pathToFileURL(found).href, context);
}

/** Give the file of the version that an absolute path means, where it is not in the folder any more. */
function gone(specifier) {
  if (!specifier.startsWith("file:") && !isAbsolute(specifier)) return null;
  const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier;
  return Object.hasOwn(run.sources, named(path)) && !existsSync(path) ? path : null;
}

/** Give the file of the app that an import means: the compiler tries the same endings. */
function sibling(url) {
  const path = fileURLToPath(url);
  if (!path.startsWith(run.folder + sep)) return null;
  const candidates = ENDINGS.some((ending) => path.endsWith(ending))
    ? [path, path.replace(/js(x?)$/, "ts$1")]
    : [...ENDINGS.map((ending) => path + ending), ...ENDINGS.map((ending) => join(path, `index${ending}`))];
  const found = candidates.find((candidate) => Object.hasOwn(run.sources, named(candidate)) || existsSync(candidate));
  return found ?? null;
}

/** Give the source of the version that runs, whatever the file says by now. */
function load(url, context, next) {
  const path = url.startsWith("file:") ? fileURLToPath(url) : "";
  const name = path.startsWith(run.folder + sep) ? named(path) : "";
  const isOurs = Object.hasOwn(run.sources, name);
  const found = isOurs && !existsSync(path) ? { format: formatOf(path), shortCircuit: true } : next(url, context);
  const isCommon = found.format === "commonjs" || found.format === "commonjs-typescript";
  if (isCommon && !context.conditions?.includes("require")) return requiring(path);
  return isOurs ? { ...found, source: run.sources[name], shortCircuit: true } : found;
}

/** Let a CommonJS module that is imported be required: its own `require` asks the hooks only then. */
function requiring(path) {
  const exported = require(path);
  const isObject = exported !== null && (typeof exported === "object" || typeof exported === "function");
  const names = isObject ? Object.keys(exported).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== "default") : [];
  const lines = [
    'import { createRequire } from "node:module";',
    `const exported = createRequire(import.meta.url)(${JSON.stringify(path)});`,
    "export default exported;",
    ...names.map((key, place) => `const name${place} = exported.${key}; export { name${place} as ${key} };`),
  ];
  return { format: "module", source: lines.join("\n"), shortCircuit: true };
}

function formatOf(path) {
  const format = path.at(-3) === "c" ? "commonjs" : "module";
  return path.endsWith("ts") ? `${format}-typescript` : format;
}
