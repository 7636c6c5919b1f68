/** Bounds that keep one call, and one reader's read set, small. */

export const DELTAS_PER_READ = 256;
export const SWEEP_BATCH = 500;
/** How long readers may still catch up on deltas after the end. */
export const SWEEP_AFTER_MS = 5 * 60 * 1000;
export const MESSAGES_PER_IMPORT = 500;
export const MESSAGES_PER_INDEXING = 200;
export const MESSAGES_PER_PURGE = 32;
export const THREADS_PER_PURGE = 16;
export const EMBEDDERS_PER_THREAD = 64;
export const CALLS_PER_MESSAGE = 128;
export const EVENTS_PER_MESSAGE = 256;
export const PREFERENCES_PER_USER = 200;
export const PERMISSIONS_PER_THREAD = 200;
export const TOOL_NAME_CHARS = 64;
export const UNFINISHED_PER_THREAD = 256;
export const FLAGS = 256;
export const PAGE_ITEMS = 200;
export const MESSAGES_PER_SUMMARY = 64;
export const SUMMARY_CHARS = 16_000;
export const TITLE_CHARS = 200;
export const PREFERENCE_KEY_CHARS = 100;
export const PREFERENCE_VALUE_CHARS = 4000;
