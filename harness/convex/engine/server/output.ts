import { type Fields, type Json, bytesOf, float64Of, int64Of, kindOf } from "../values/json.ts";

/** The two forms in which the HTTP API gives values. */

const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/g;

function markFloats(text: string): string {
  return text.replace(NUMBER, (number, fraction, exponent) =>
    fraction || exponent ? number : `${number}.0`,
  );
}

function endOfString(json: string, start: number): number {
  let end = start;
  for (;;) {
    end = json.indexOf('"', end + 1);
    let slashes = 0;
    while (json[end - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return end;
  }
}

/** Writes every number of a JSON text as a float (1 as 1.0), which tells clients whose
 *  language has integers that Convex's numbers are none. */
export function withFloats(json: string): string {
  let out = "";
  let from = 0;
  while (from < json.length) {
    const quote = json.indexOf('"', from);
    if (quote < 0) break;
    const end = endOfString(json, quote);
    // One character between two strings is a colon or a comma.
    const between = json.slice(from, quote);
    out += (between.length > 1 ? markFloats(between) : between) + json.slice(quote, end + 1);
    from = end + 1;
  }
  return out + markFloats(json.slice(from));
}

/** A value for readers that know JSON only: integers and bytes as text. */
export function plainJson(value: Json): Json {
  switch (kindOf(value)) {
    case "int64":
      return String(int64Of(value));
    case "float64": {
      const number = float64Of(value);
      return Number.isFinite(number) ? number : String(number);
    }
    case "bytes":
      return bytesOf(value).toString("base64");
    case "array":
      return (value as Json[]).map(plainJson);
    case "object":
      return Object.fromEntries(
        Object.entries(value as Fields).map(([name, item]) => [name, plainJson(item)]),
      );
    default:
      return value;
  }
}
