import { type Fields, type Json, bytesOf, float64Of, int64Of, kindOf } from "./json.ts";

/** Values and validators as Convex writes them in its error messages. */

function displayFloat(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value.toFixed(1)}` : `${value}`;
}

export function displayValue(value: Json): string {
  switch (kindOf(value)) {
    case "int64":
      return `${int64Of(value)}n`;
    case "float64":
      return displayFloat(float64Of(value));
    case "bytes":
      return `b"${bytesOf(value).toString("hex")}"`;
    case "array":
      return `[${(value as Json[]).map(displayValue).join(", ")}]`;
    case "object":
      return `{${Object.entries(value as Fields)
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([name, item]) => `${name}: ${displayValue(item)}`)
        .join(", ")}}`;
    default:
      return JSON.stringify(value);
  }
}
