import type { Json } from "./values/json.ts";

/** A reason not to start, in one line for the person who started the engine. */
export class StartError extends Error {}

/** A function's caller did something Convex refuses; the message is told as it is. */
export class UserError extends Error {}

/** A request that is not answered by a function, with the HTTP status it gets. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What a ConvexError carries from a nested function to the one that called it. */
export class CarriedError extends Error {
  readonly data: Json;

  constructor(message: string, data: Json) {
    super(message);
    this.data = data;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
