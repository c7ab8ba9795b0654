// The conversation with the process that runs this one: a line of JSON each way, one question at a time.
//
// Reading and writing wait: a script sees an answer or an error where it asks, whether it says `await` or not.

import { readSync, writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

import { decode } from "./values.mjs";
import { NoHostError, revived } from "./errors.mjs";

let descriptor = null;
let pending = [];
const part = Buffer.allocUnsafe(65_536);
const errors = [];

/** Use the socket of that number from now on. */
export function open(number) {
  descriptor = number;
}

/** Send one message. */
export function send(message) {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < line.length; ) at += again(() => writeSync(descriptor, line, at));
}

/** Wait for one message; without the other side there is nothing left to do. */
export function receive() {
  for (;;) {
    const count = again(() => readSync(descriptor, part, 0, part.length, null));
    if (count === 0) leave();
    const chunk = Buffer.from(part.subarray(0, count));
    pending.push(chunk);
    // One question, one answer: the line ends with what was read last.
    if (chunk[count - 1] === 10) {
      const line = pending.length === 1 ? chunk : Buffer.concat(pending);
      pending = [];
      return JSON.parse(line.toString("utf8"));
    }
  }
}

/** Ask the host; give its answer, or throw what it says is wrong. */
export function ask(call, parts) {
  if (descriptor === null || !isMainThread) throw new NoHostError();
  send({ call, ...parts });
  const answer = receive();
  if (answer.error === undefined) return decode(answer.value);
  const error = revived(answer.error);
  errors.push(error);
  throw error;
}

/** Give the number of an error that the host told, or `null` for one of the script's own. */
export function numberOf(error) {
  return error !== null && typeof error === "object" && errors.includes(error) ? error.number : null;
}

function leave() {
  process.kill(process.pid, "SIGKILL");
}

function again(call) {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (error.code === "EPIPE" || error.code === "ECONNRESET") leave();
      if (error.code !== "EAGAIN" && error.code !== "EINTR") throw error;
      if (error.code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
