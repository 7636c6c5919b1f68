import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "../../functions/_generated/api.js";
import { SWEEP_AFTER_MS, SWEEP_BATCH } from "../../functions/lib/limits.js";
import { startConvexTest } from "./support/convexTest.js";
import {
  append,
  begunMessage,
  cancel,
  complete,
  fresh,
  newThread,
  streamingMessage,
} from "./support/given.js";

describe("a cancel that came early", () => {
  it("is kept once, and only until its message begins", async () => {
    const backend = await startConvexTest();
    const thread = await newThread(backend);
    const messageKey = fresh("key");
    await cancel(backend, messageKey, thread.subject);
    await cancel(backend, messageKey, thread.subject);
    expect(await backend.count("cancellations")).toBe(1);
    await begunMessage(backend, thread, { messageKey });
    expect(await backend.count("cancellations")).toBe(0);
  });
});

// Only convex-test lets a test move the scheduler's clock.
describe("the sweep of a finished message's deltas", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("leaves readers five minutes, and then takes them all", async () => {
    const backend = await startConvexTest();
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, ...Array.from({ length: 2 * SWEEP_BATCH + 1 }, () => "x"));
    await complete(backend, key);
    const left = async () => {
      const view = await owner.query(api.messages.stream, { messageKey: key, after: -1 });
      return view!.deltas.length;
    };
    await vi.advanceTimersByTimeAsync(SWEEP_AFTER_MS - 1);
    expect(await left()).toBeGreaterThan(0);
    await backend.runScheduled(() => vi.runAllTimers());
    expect(await left()).toBe(0);
  });
});
