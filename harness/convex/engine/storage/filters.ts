import { UserError } from "../failures.ts";
import { displayValue } from "../values/display.ts";
import {
  type Fields,
  type Json,
  fieldAt,
  float64Of,
  float64ToJson,
  int64Of,
  int64ToJson,
  kindOf,
  present,
} from "../values/json.ts";
import { compareValues } from "../values/keys.ts";

/** Evaluation of the expressions of `.filter(q => …)`. */

export type Filter = Json;

const COMPARISONS: Record<string, (order: number) => boolean> = {
  $eq: (order) => order === 0,
  $neq: (order) => order !== 0,
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
};

const ARITHMETIC: Record<
  string,
  [(a: number, b: number) => number, (a: bigint, b: bigint) => bigint]
> = {
  $add: [(a, b) => a + b, (a, b) => a + b],
  $sub: [(a, b) => a - b, (a, b) => a - b],
  $mul: [(a, b) => a * b, (a, b) => a * b],
  $div: [(a, b) => a / b, (a, b) => a / b],
  $mod: [(a, b) => a % b, (a, b) => a % b],
};

function calculate(operator: string, left: Json | undefined, right: Json | undefined): Json {
  const [ofFloats, ofIntegers] = ARITHMETIC[operator]!;
  const kinds = `${kindOf(left)} and ${kindOf(right)}`;
  if (kinds === "float64 and float64") {
    return float64ToJson(ofFloats(float64Of(left!), float64Of(right!)));
  }
  if (kinds === "int64 and int64") {
    return int64ToJson(BigInt.asIntN(64, ofIntegers(int64Of(left!), int64Of(right!))));
  }
  throw new UserError(`Filter ${operator} needs two numbers of one type, not ${kinds}.`);
}

/** @throws UserError for a value that is no boolean, in Convex's words. */
function truth(value: Json | undefined): boolean {
  if (typeof value === "boolean") return value;
  const kind = kindOf(value);
  const shown = value === undefined ? kind : displayValue(value);
  const type = kind === "undefined" ? kind : kind[0]!.toUpperCase() + kind.slice(1);
  throw new UserError(`Cannot use value ${shown} (type ${type}) as a Boolean`);
}

/** Whether a document passes. */
export function passes(filter: Filter, document: Fields): boolean {
  return truth(evaluate(filter, document));
}

/** The value of an expression for a document; undefined for a field it does not have. */
function evaluate(expression: Filter, document: Fields): Json | undefined {
  const [[operator, operand]] = Object.entries(expression as Fields) as [[string, Json]];
  switch (operator) {
    case "$literal":
      return present(operand);
    case "$field":
      return fieldAt(document, operand as string);
    case "$and":
      return (operand as Json[]).every((part) => passes(part, document));
    case "$or":
      return (operand as Json[]).some((part) => passes(part, document));
    case "$not":
      return !passes(operand, document);
    case "$neg":
      return calculate("$sub", zeroLike(evaluate(operand, document)), evaluate(operand, document));
  }
  const [left, right] = (operand as Json[]).map((part) => evaluate(part, document));
  const comparison = COMPARISONS[operator];
  if (comparison) return comparison(compareValues(left, right));
  if (ARITHMETIC[operator]) return calculate(operator, left, right);
  throw new UserError(`Unknown filter expression ${operator}.`);
}

function zeroLike(value: Json | undefined): Json {
  return kindOf(value) === "int64" ? int64ToJson(0n) : 0;
}
