import { ConvexError } from "convex/values";
import { TOOL_NAME_CHARS } from "./limits.js";

export type ErrorCode = "UNAUTHENTICATED" | "NOT_FOUND" | "CONFLICT" | "INVALID";

/** Ends the function and rolls its writes back; the caller gets `{code, message}`. */
export function refuse(code: ErrorCode, message: string): never {
  throw new ConvexError({ code, message });
}

/** Refuses what Convex's number type lets through: fractions, negatives, NaN. */
export function requireNatural(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    refuse("INVALID", `${name} is ${value}; give an integer of at least 0`);
  }
}

/** Refuses what is no tool's name: they are keys of records, whose first character is a letter. */
export function requireToolName(name: string): void {
  if (name.length > TOOL_NAME_CHARS || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) {
    refuse("INVALID", `${JSON.stringify(name)} is no tool's name`);
  }
}

/** Refuses text that is empty or longer than `max` UTF-16 units. */
export function requireText(name: string, value: string, max: number): void {
  if (value.trim() === "") refuse("INVALID", `${name} is empty; give it some text`);
  if (value.length > max) {
    refuse("INVALID", `${name} has ${value.length} characters; at most ${max} are kept`);
  }
}
