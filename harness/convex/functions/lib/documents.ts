import {
  type PaginationOptions,
  type PaginationResult,
  paginationResultValidator,
} from "convex/server";
import { type PropertyValidators, v } from "convex/values";
import type { TableNames } from "../_generated/dataModel.js";
import {
  analyticsFields,
  flagFields,
  messageFields,
  threadFields,
  toolCallFields,
  userFields,
} from "../fields.js";
import { PAGE_ITEMS } from "./limits.js";

/** Whole documents as functions return them: a table's fields and what Convex adds. */
function documentOf<Table extends TableNames, Fields extends PropertyValidators>(
  table: Table,
  fields: Fields,
) {
  return v.object({ ...fields, _id: v.id(table), _creationTime: v.number() });
}

export const userDoc = documentOf("users", userFields);
export const threadDoc = documentOf("threads", threadFields);
export const messageDoc = documentOf("messages", messageFields);
export const toolCallDoc = documentOf("toolCalls", toolCallFields);
export const analyticsDoc = documentOf("analytics", analyticsFields);
export const flagDoc = documentOf("flags", flagFields);

export const userPage = paginationResultValidator(userDoc);
export const threadPage = paginationResultValidator(threadDoc);
export const messagePage = paginationResultValidator(messageDoc);
export const analyticsPage = paginationResultValidator(analyticsDoc);

/** The options with a page's size bounded, whatever a client asks for. */
export function bounded(options: PaginationOptions): PaginationOptions {
  return { ...options, numItems: Math.min(options.numItems, PAGE_ITEMS) };
}

/** What somebody who has no row yet sees of a list. */
export function emptyPage<Item>(): PaginationResult<Item> {
  return { page: [], isDone: true, continueCursor: "" };
}
