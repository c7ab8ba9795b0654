// What a script may catch. `family` says whose turn it is: the author ("node"), the world ("temporary") or the
// configuration ("permanent").

export class PatternsError extends Error {
  constructor(message, { code = "node", hint = null, family = "node" } = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
    this.family = family;
  }
}

export class TableError extends PatternsError {}
export class ParameterError extends PatternsError {}
export class ModelError extends PatternsError {}
export class FileError extends PatternsError {}
export class RunEndedError extends PatternsError {}

export class NoHostError extends PatternsError {
  constructor() {
    super("This script runs inside Patterns OS: tables, files and models are only there during a run", {
      code: "no-host",
      hint: "start it with `patterns run`, `patterns dev`, or `patterns test NODE --rows rows.json`",
    });
  }
}

const KINDS = { TableError, ParameterError, ModelError, FileError, RunEndedError };

/** Give the error that the host tells of. */
export function revived({ number, kind, message, code, hint, family }) {
  const error = new (KINDS[kind] ?? PatternsError)(message, { code, hint, family });
  Object.defineProperty(error, "number", { value: number });
  return error;
}
