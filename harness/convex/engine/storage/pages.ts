import { createHash } from "node:crypto";
import { UserError } from "../failures.ts";
import { after } from "../values/keys.ts";
import { type Budget, Cursor } from "./cursor.ts";
import type { EntryRow } from "./entries.ts";
import { type IndexRange, type SerializedQuery, rangeOf } from "./range.ts";
import type { Store, Transaction } from "./transaction.ts";
import { LIMITS } from "./usage.ts";

/** Pagination. A cursor names the last index key of a page, so that pages stay
 *  gapless while documents come and go around them. */

export interface PageRequest {
  query: SerializedQuery;
  cursor: string | null;
  endCursor: string | null;
  pageSize: number;
  maximumRowsRead: number | null;
  maximumBytesRead?: number | null;
}

export interface PageResult {
  /** Documents as JSON text. */
  page: string[];
  isDone: boolean;
  continueCursor: string;
  splitCursor: string | null;
  pageStatus: "SplitRecommended" | "SplitRequired" | null;
}

const MAX_ROWS_READ = LIMITS.documentsRead;
/** Leaves room for the one document that goes past it. */
const MAX_BYTES_READ = LIMITS.bytesRead - (1 << 20);
/** The longest array there is. */
const MAX_ITEMS = 8192;
/** A page past this share of what it may read or hold should be split by its client. */
const SPLIT_SHARE = 3 / 4;
const FINGERPRINT_BYTES = 8;

type Position = { end: true } | { end: false; key: Buffer };

function fingerprintOf(query: SerializedQuery): Buffer {
  const text = JSON.stringify([query.source, query.operators]);
  return createHash("sha256").update(text).digest().subarray(0, FINGERPRINT_BYTES);
}

function encodeCursor(fingerprint: Buffer, position: Position): string {
  const body = position.end ? Buffer.of(0) : Buffer.concat([Buffer.of(1), position.key]);
  return Buffer.concat([fingerprint, body]).toString("base64url");
}

function decodeCursor(fingerprint: Buffer, cursor: string): Position {
  const bytes = Buffer.from(cursor, "base64url");
  if (!bytes.subarray(0, FINGERPRINT_BYTES).equals(fingerprint)) {
    throw new UserError(
      "InvalidCursor: Tried to run a query starting from a cursor, " +
        "but it looks like this cursor is from a different query.",
    );
  }
  const body = bytes.subarray(FINGERPRINT_BYTES);
  return body[0] === 0 ? { end: true } : { end: false, key: Buffer.from(body.subarray(1)) };
}

/** The range left after a cursor and up to an end cursor. */
function narrow(range: IndexRange, from: Position | null, to: Position | null): IndexRange {
  let { low, high } = range;
  if (from && !from.end) {
    if (range.descending) high = from.key;
    else low = after(from.key);
  }
  if (to && !to.end) {
    if (range.descending) low = to.key;
    else high = after(to.key);
  }
  return { ...range, low, high };
}

function budgetOf({ maximumRowsRead, maximumBytesRead, pageSize }: PageRequest): Budget {
  if (pageSize < 1) throw new UserError("Must request at least 1 document while paginating");
  if (pageSize > LIMITS.documentsRead) {
    throw new UserError(`Requested too many items: ${pageSize}`);
  }
  if (maximumRowsRead === 0 || maximumBytesRead === 0) {
    throw new UserError("maximumRowsRead and maximumBytesRead must be greater than 0");
  }
  return {
    entries: Math.min(maximumRowsRead ?? MAX_ROWS_READ, MAX_ROWS_READ),
    bytes: Math.min(maximumBytesRead ?? MAX_BYTES_READ, MAX_BYTES_READ),
  };
}

/** A page whose end is given holds all up to it: one that cannot must be split. */
function statusOf(
  cursor: Cursor,
  budget: Budget,
  items: number,
  bounded: boolean,
): PageResult["pageStatus"] {
  if (cursor.overBudget && !cursor.finished) return bounded ? "SplitRequired" : "SplitRecommended";
  const near =
    cursor.scanned > budget.entries * SPLIT_SHARE ||
    cursor.scannedBytes > budget.bytes * SPLIT_SHARE ||
    items > MAX_ITEMS * SPLIT_SHARE;
  return near ? "SplitRecommended" : null;
}

/** Reads one page.
 *
 *  A reactive query remembers where its page ended (in the transaction's journal), so that
 *  running it again reads the same interval, however many documents it holds by then.
 *
 *  @throws UserError for a cursor of another query.
 */
export function readPage(store: Store, transaction: Transaction, request: PageRequest): PageResult {
  const { query } = request;
  if (transaction.paginated) {
    throw new UserError(
      "This query or mutation function ran multiple paginated queries. " +
        "Convex only supports a single paginated query in each function.",
    );
  }
  transaction.paginated = true;
  const fingerprint = fingerprintOf(query);
  const endCursor = request.endCursor ?? transaction.journal;
  const from = request.cursor === null ? null : decodeCursor(fingerprint, request.cursor);
  const to = endCursor === null ? null : decodeCursor(fingerprint, endCursor);
  const end = encodeCursor(fingerprint, { end: true });
  const range = rangeOf(store.catalog, query);
  if (from?.end) {
    transaction.journal = end;
    return { page: [], isDone: true, continueCursor: end, splitCursor: null, pageStatus: null };
  }

  const filters = query.operators.flatMap((part) => ("filter" in part ? [part.filter] : []));
  const rest = narrow(range, from, to);
  const wanted = to ? Infinity : request.pageSize;
  const budget = budgetOf(request);
  const cursor = transaction.track(
    new Cursor(store.statements, transaction.usage, rest, filters, wanted, budget),
  );
  const rows: EntryRow[] = [];
  for (let row = cursor.next(); row; row = cursor.next()) rows.push(row);

  const cursorAt = (key: Uint8Array) =>
    encodeCursor(fingerprint, { end: false, key: Buffer.from(key) });
  const reached = cursor.lastKey ?? (rest.descending ? rest.high : rest.low);
  const continueCursor = endCursor ?? (cursor.finished ? end : cursorAt(reached));
  transaction.journal = continueCursor;
  return {
    page: rows.map((row) => row.json),
    isDone: continueCursor === end,
    continueCursor,
    splitCursor: cursor.middleKey ? cursorAt(cursor.middleKey) : null,
    pageStatus: statusOf(cursor, budget, rows.length, to !== null),
  };
}
