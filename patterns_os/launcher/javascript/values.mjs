// Values as lines of JSON carry them, and back: what JSON has no word for is an object of one key, the tag.

import { TableError } from "./errors.mjs";

/** A number with an exact decimal form, as the database keeps it. It is put back as it came. */
export class Decimal {
  constructor(text) {
    this.text = String(text);
    Object.freeze(this);
  }
  toString() {
    return this.text;
  }
  toJSON() {
    return this.text;
  }
  valueOf() {
    return Number(this.text);
  }
}

/** A day without a time, as `2024-02-29`. */
export class LocalDate {
  constructor(text) {
    this.text = String(text);
    Object.freeze(this);
  }
  toString() {
    return this.text;
  }
  toJSON() {
    return this.text;
  }
  valueOf() {
    return this.text;
  }
}

/** A time of day without a day. */
export class LocalTime extends LocalDate {}

const DEEPEST = 200;
const TAGS = new Set(
  ["text64", "float", "int", "decimal", "bytes", "datetime", "date", "time", "dict"].map((name) => `$${name}`),
);
/** Moments that came with more than milliseconds keep them as long as nobody changes them. */
const exact = new WeakMap();

/** Give the value as JSON data with tags. */
export function encode(value, path = []) {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? value : { $text64: surrogates(value).toString("base64") };
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $float: Number.isNaN(value) ? "nan" : Object.is(value, -0) ? "-0.0" : value > 0 ? "inf" : "-inf" };
    case "bigint":
      return { $int: value.toString() };
    case "boolean":
      return value;
    case "undefined":
      return null;
    case "object":
      return value === null ? null : encodeObject(value, path);
    default:
      throw refused(path, `is a ${typeof value}`);
  }
}

/** Give a row: only plain objects are rows. */
export function encodeRow(row, table) {
  if (row === null || typeof row !== "object" || Array.isArray(row)) {
    const kind = row === null ? "null" : Array.isArray(row) ? "array" : typeof row;
    throw new TableError(`A row for table "${table}" is of type "${kind}", expected an object`, { code: "row-type" });
  }
  const found = {};
  for (const key of Object.keys(row)) {
    if (row[key] !== undefined) put(found, key, encode(row[key], [key]));
  }
  return found;
}

/** Give the value that tagged JSON data stands for. */
export function decode(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    for (let place = 0; place < value.length; place += 1) {
      if (typeof value[place] === "object") value[place] = decode(value[place]);
    }
    return value;
  }
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0].startsWith("$") && TAGS.has(keys[0])) return decodeTagged(keys[0], value[keys[0]]);
  for (const key of keys) {
    if (typeof value[key] === "object") put(value, key, decode(value[key]));
  }
  return value;
}

function decodeTagged(tag, given) {
  switch (tag) {
    case "$text64":
      return wide(Buffer.from(given, "base64"));
    case "$float":
      return { nan: NaN, inf: Infinity, "-inf": -Infinity }[given] ?? Number(given);
    case "$int":
      return BigInt(given);
    case "$decimal":
      return new Decimal(given);
    case "$bytes":
      return Buffer.from(given, "base64");
    case "$datetime":
      return moment(given);
    case "$date":
      return new LocalDate(given);
    case "$time":
      return new LocalTime(given);
    default: {
      const found = {};
      for (const [key, value] of given) put(found, String(decode(key)), decode(value));
      return found;
    }
  }
}

function moment(text) {
  const date = new Date(text);
  exact.set(date, { text, time: date.getTime() });
  return date;
}

function encodeObject(value, path) {
  if (path.length > DEEPEST) throw refused(path.slice(0, 1), `is nested deeper than ${DEEPEST} levels, or holds itself`);
  if (Array.isArray(value)) return Array.from(value, (item, place) => encode(item, [...path, place]));
  if (value instanceof Date) return encodeDate(value, path);
  if (value instanceof Decimal) return { $decimal: value.text };
  if (value instanceof LocalTime) return { $time: value.text };
  if (value instanceof LocalDate) return { $date: value.text };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return encode(value.valueOf(), path);
  if (value instanceof Set) return encode([...value], path);
  if (value instanceof Map) return encode(Object.fromEntries(value), path);
  if (typeof value.then === "function") throw refused(path, 'is a promise: it lacks an "await"');
  if (typeof value.toJSON === "function") return encode(value.toJSON(), path);
  const found = {};
  for (const key of Object.keys(value)) {
    if (value[key] !== undefined) put(found, key, encode(value[key], [...path, key]));
  }
  const keys = Object.keys(found);
  if (keys.length === 1 && TAGS.has(keys[0])) return { $dict: [[keys[0], found[keys[0]]]] };
  return found;
}

function encodeDate(value, path) {
  const time = value.getTime();
  if (Number.isNaN(time)) throw refused(path, "is an invalid date");
  const known = exact.get(value);
  return { $datetime: known !== undefined && known.time === time ? known.text : value.toISOString() };
}

function refused(path, what) {
  const place = path.length > 0 ? `value at "${path.join(".")}"` : "value";
  return new TableError(`${place} ${what}, which no row can hold`, { code: "row-value" });
}

/** Set a key, `__proto__` like any other. */
function put(object, key, value) {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[key] = value;
  }
}

/** Give UTF-8 in which halves of characters are written like characters. */
function surrogates(text) {
  const bytes = [];
  for (const character of text) {
    const point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) bytes.push(0xed, 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else bytes.push(...Buffer.from(character));
  }
  return Buffer.from(bytes);
}

function wide(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 0xed && bytes[at + 1] >= 0xa0) {
      text += String.fromCharCode(0xd000 | ((bytes[at + 1] & 0x3f) << 6) | (bytes[at + 2] & 0x3f));
      at += 3;
    } else {
      const size = bytes[at] < 0x80 ? 1 : bytes[at] < 0xe0 ? 2 : bytes[at] < 0xf0 ? 3 : 4;
      text += bytes.toString("utf8", at, at + size);
      at += size;
    }
  }
  return text;
}
