// The SDK of Patterns OS for JavaScript and TypeScript: what scripts import.
//
//     import { Connection, File, Model, Parameter, Secret, State, Table, once } from "patterns";
//
// Every call has its answer when it returns, and may be written with `await`. Methods may be spelled with
// underscores (`as_stream`) too.

import { AsyncLocalStorage } from "node:async_hooks";

import { ask } from "./channel.mjs";
import { FileError, ModelError, NoHostError, ParameterError, PatternsError, RunEndedError, TableError } from "./errors.mjs";
import { Decimal, LocalDate, LocalTime, encode, encodeRow } from "./values.mjs";

const MODES = { r: "r", read: "r", w: "w", write: "w", a: "w", append: "w", rw: "w" };

class TableHandle {
  #name;
  #mode;

  constructor(name, mode = {}, more = {}) {
    const options = typeof mode === "string" ? { ...more, mode } : { ...mode };
    const given = options.mode ?? "r";
    if (!Object.hasOwn(MODES, given)) throw new TableError(`Table mode "${given}" is none of "r", "w"`, { code: "table-mode" });
    this.#name = String(name);
    this.#mode = MODES[given];
    ask("table_opened", {
      table: this.#name,
      mode: this.#mode,
      schema: options.schema ?? null,
      required: options.required ?? true,
    });
  }

  get name() {
    return this.#name;
  }

  get mode() {
    return this.#mode;
  }

  /** Whether the name leads to a table of the app. */
  get isConnected() {
    return ask("is_connected", { table: this.#name });
  }

  /** The qualified, quoted name, for SQL. */
  get sqlName() {
    return ask("sql_name", { table: this.#name });
  }

  /** The columns, name → type; empty before the first row. */
  get schema() {
    return ask("columns", { table: this.#name });
  }

  /** How many rows the active version has. */
  get recordCount() {
    return ask("count", { table: this.#name });
  }

  /** Whether the table has rows. */
  get exists() {
    return this.recordCount > 0;
  }

  toString() {
    return this.sqlName;
  }

  /** Give all rows of the active version, in the order they were written. */
  read() {
    return [...this];
  }

  /** Iterate over all rows, like `read`. */
  *[Symbol.iterator]() {
    const reading = ask("read", { table: this.#name });
    for (let rows = ask("rows", { reading }); rows !== null; rows = ask("rows", { reading })) yield* rows;
  }

  /** Give the rows of a read-only SQL statement; `%(name)s` takes the parameters. */
  readSql(sql, parameters = {}) {
    return ask("read_sql", { statement: String(sql), parameters: encode(parameters) });
  }

  /** Give this node's stream: each row once, over all runs. */
  asStream({ orderBy = null, startingValue = null, name = "" } = {}) {
    return new StreamHandle(
      ask("stream", { table: this.#name, stream: name, order_by: orderBy, starting_value: encode(startingValue) }),
    );
  }

  /** Add rows at the end. */
  append(records) {
    return this.#write("append", records);
  }

  /** Add rows, or change the ones with the same key (`unique_on`); a changed row moves to the end. */
  upsert(records) {
    return this.#write("upsert", records);
  }

  /** Make the rows the table's new version; with the same rows as before nothing changes. */
  replace(records) {
    return this.#write("replace", records);
  }

  /** Begin an empty version and drop the old rows. */
  truncate() {
    this.#writable();
    ask("empty", { table: this.#name, drop: true });
  }

  /** Begin an empty version; the old rows are kept until retention takes them. */
  reset() {
    this.#writable();
    ask("empty", { table: this.#name, drop: false });
  }

  /** Send buffered rows on their way. They become visible when the run commits. */
  flush() {
    ask("flush", { table: this.#name });
  }

  /** Lay columns and the key of the table; does nothing where they are laid already. */
  init({ schema = null, uniqueOn = [] } = {}) {
    this.#writable();
    ask("init", { table: this.#name, schema, unique_on: [uniqueOn].flat() });
  }

  #write(kind, records) {
    this.#writable();
    if (records === null || typeof records !== "object") encodeRow(records, this.#name);
    if (typeof records.then === "function") {
      throw new TableError(`Rows for table "${this.#name}" are a promise: it lacks an "await"`, { code: "row-type" });
    }
    if (typeof records[Symbol.iterator] === "function") return this.#send(kind, Array.from(records));
    if (typeof records[Symbol.asyncIterator] === "function") {
      return Array.fromAsync(records).then((rows) => this.#send(kind, rows));
    }
    return this.#send(kind, [records]);
  }

  #send(kind, rows) {
    const table = this.#name;
    ask("write", { table, kind, rows: rows.map((row) => encodeRow(row, table)) });
  }

  #writable() {
    if (this.#mode !== "w") {
      throw new TableError(`Table "${this.#name}" is open for reading`, {
        code: "table-mode",
        hint: `open it with new Table("${this.#name}", "w")`,
      });
    }
  }
}

/** A node's place in a table: each row once, over all runs. What was given is done when the script ends. */
class StreamHandle {
  #number;

  constructor(number) {
    this.#number = number;
  }

  *[Symbol.iterator]() {
    for (let row = this.#next(); row !== null; row = this.#next()) yield row;
  }

  async *[Symbol.asyncIterator]() {
    for (let row = this.#next(); row !== null; row = this.#next()) yield row;
  }

  /** Iterate over the rows. */
  consumeRecords() {
    return this;
  }

  /** Iterate over lists of at most `size` rows. */
  batches(size) {
    const number = this.#number;
    const next = () => ask("batch", { stream: number, size });
    return {
      *[Symbol.iterator]() {
        for (let rows = next(); rows !== null; rows = next()) yield rows;
      },
      async *[Symbol.asyncIterator]() {
        for (let rows = next(); rows !== null; rows = next()) yield rows;
      },
    };
  }

  /** Commit everything up to the last row given, outputs and State included. */
  checkpoint() {
    ask("checkpoint", { stream: this.#number });
  }

  /** Go back to the last checkpoint or the start of the run, and drop what was written since. */
  rollback() {
    ask("rollback", { stream: this.#number });
  }

  /** Go back to the beginning of the table. */
  rewind() {
    ask("rewind", { stream: this.#number });
  }

  /** Skip rows up to and including `value` of the order column. */
  seek(value) {
    ask("seek", { stream: this.#number, value: encode(value) });
  }

  #next() {
    return ask("next", { stream: this.#number });
  }
}

/** Values of this node, kept between runs. Changes count when the run commits. */
class StateHandle {
  get() {
    return ask("state", {});
  }

  set(values) {
    ask("reset_state", {});
    for (const [key, value] of Object.entries(values)) this.setValue(key, value);
  }

  getValue(key, otherwise = undefined) {
    const values = this.get();
    return Object.hasOwn(values, key) ? values[key] : otherwise;
  }

  setValue(key, value) {
    ask("set_state", { key: String(key), value: encode(value) });
  }

  reset() {
    ask("reset_state", {});
  }

  /** Tell whether the run has time left; a loop that ends on `false` goes on in the next run. */
  shouldContinue() {
    return ask("should_continue", {});
  }

  /** Ask for another run of this node after this one. */
  requestNewRun({ waitAtLeastSeconds = 0 } = {}) {
    ask("request_new_run", { delay_s: waitAtLeastSeconds });
  }
}

class FileHandle {
  #name;
  #mode;

  constructor(name, mode = "r") {
    this.#name = String(name);
    this.#mode = typeof mode === "string" ? mode : (mode.mode ?? "r");
  }

  get name() {
    return this.#name;
  }

  get exists() {
    return ask("file_exists", { file: this.#name });
  }

  /** Give the whole content: bytes where the mode has `b`, else text. */
  read() {
    return this.#mode.includes("b") ? this.readBytes() : this.readText();
  }

  readText() {
    return ask("read_file", { file: this.#name, mode: "r" });
  }

  readBytes() {
    return ask("read_file", { file: this.#name, mode: "rb" });
  }

  /** Replace the content, or go on after it where the mode is `a`. */
  write(data) {
    const kind = this.#mode.startsWith("a") ? "a" : "w";
    const mode = typeof data === "string" ? kind : `${kind}b`;
    ask("write_file", { file: this.#name, mode, data: encode(data) });
  }

  delete() {
    ask("delete_file", { file: this.#name });
  }
}

/** A model of the app. */
class ModelHandle {
  #name;

  constructor(name) {
    this.#name = String(name);
  }

  /** Give what comes after the prompt. */
  complete(prompt, options = {}) {
    return ask("complete", { model: this.#name, request: { prompt: String(prompt), options } }).text;
  }

  /** Give the next turn of a conversation; a text is one turn of the user. */
  chat(messages, options = {}) {
    const turns = typeof messages === "string" ? [{ role: "user", content: messages }] : messages;
    return ask("complete", { model: this.#name, request: { messages: turns, options } }).text;
  }
}

const CONVERSIONS = new Map([
  ["str", String], ["string", String], ["text", String], [String, String],
  ["int", toInteger], ["integer", toInteger], ["bigint", toInteger],
  ["float", toNumber], ["number", toNumber], ["double", toNumber], [Number, toNumber],
  ["bool", toBoolean], ["boolean", toBoolean], [Boolean, toBoolean],
  ["datetime", toDate], ["timestamp", toDate], [Date, toDate],
  ["date", (value) => new LocalDate(value)],
  ["list", toList], ["array", toList], [Array, toList],
]);

/** Give the value of a parameter of this node; `type` converts it, `default` makes it optional. */
export function Parameter(name, { type = null, ...options } = {}) {
  const [given, value] = ask("parameter", { name: String(name) });
  if (!given) {
    if ("default" in options) return options.default;
    throw new ParameterError(`Parameter "${name}" has no default or value`, {
      code: "parameter-without-value",
      hint: `add "parameters": {"${name}": …} to the script in manifest.json`,
      family: "permanent",
    });
  }
  const convert = CONVERSIONS.get(typeof type === "string" ? type.toLowerCase() : type);
  if (value === null || convert === undefined) return value;
  try {
    return convert(value);
  } catch {
    const wanted = typeof type === "string" ? type : type.name;
    throw new ParameterError(`Parameter "${name}" is ${JSON.stringify(value)}, expected ${wanted}`, {
      code: "parameter-type",
      family: "permanent",
    });
  }
}

/** Give the value of a secret. */
export function Secret(name) {
  const value = ask("secret", { name: String(name) });
  if (value === null) {
    throw new ParameterError(`Secret "${name}" is not set`, {
      code: "secret-missing",
      hint: `patterns secret set ${name}`,
      family: "permanent",
    });
  }
  return value;
}

/** Give the keys of an account of another service, kept as the secret `CONNECTION_NAME`: JSON, or the key itself. */
export function Connection(name) {
  const text = Secret(`CONNECTION_${String(name).replace(/[^A-Za-z0-9]+/g, "_").replace(/^_+|_+$/g, "").toUpperCase()}`);
  try {
    const keys = JSON.parse(text);
    if (keys !== null && typeof keys === "object" && !Array.isArray(keys)) return keys;
  } catch {
    // The text is the key itself.
  }
  return { api_key: text, token: text, access_token: text };
}

let turn = Promise.resolve();
const inside = new AsyncLocalStorage();

/**
 * Run `effect` at most once for the current record and key, and remember its result, a JSON value.
 *
 * Calls that are made at the same time run one after the other.
 */
export async function once(key, effect) {
  if (inside.getStore()) return perform(key, effect);
  const before = turn;
  let done;
  turn = new Promise((resolve) => {
    done = resolve;
  });
  await before;
  try {
    return await inside.run(true, () => perform(key, effect));
  } finally {
    done();
  }
}

async function perform(key, effect) {
  const begun = ask("once", { key: String(key) });
  if (begun.done) return begun.result;
  let result;
  let encoded;
  try {
    result = await effect();
    encoded = encode(result);
  } catch (error) {
    ask("once_failed", {});
    throw error;
  }
  ask("once_done", { result: encoded });
  return result;
}

function toInteger(value) {
  const number = typeof value === "bigint" ? value : Number(value);
  if (typeof number === "number" && (!Number.isFinite(number) || String(value).trim() === "")) throw new TypeError();
  return typeof number === "bigint" ? number : Math.trunc(number);
}

function toNumber(value) {
  const number = Number(value);
  if (Number.isNaN(number) || String(value).trim() === "") throw new TypeError();
  return number;
}

function toBoolean(value) {
  if (typeof value !== "string") return Boolean(value);
  const text = value.toLowerCase();
  if (["true", "yes", "on", "1"].includes(text)) return true;
  if (["false", "no", "off", "0"].includes(text)) return false;
  throw new TypeError();
}

function toDate(value) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) throw new TypeError();
  return date;
}

function toList(value) {
  return typeof value === "string" ? value.split(",").map((part) => part.trim()) : [...value];
}

/** Let methods be spelled with underscores, and classes be called without `new`. */
function exported(kind, name) {
  for (const [method, described] of Object.entries(Object.getOwnPropertyDescriptors(kind.prototype))) {
    const other = method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (other !== method) Object.defineProperty(kind.prototype, other, described);
  }
  Object.defineProperty(kind, "name", { value: name });
  return new Proxy(kind, { apply: (target, _, given) => new target(...given) });
}

export const Table = exported(TableHandle, "Table");
export const Stream = exported(StreamHandle, "Stream");
export const State = exported(StateHandle, "State");
export const File = exported(FileHandle, "File");
export const Model = exported(ModelHandle, "Model");
export { Decimal, FileError, LocalDate, LocalTime, ModelError, NoHostError, ParameterError, PatternsError };
export { RunEndedError, TableError };
export default { Connection, File, Model, Parameter, Secret, State, Stream, Table, once };
