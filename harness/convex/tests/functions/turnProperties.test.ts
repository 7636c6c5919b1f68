import fc from "fast-check";
import { expect, it } from "vitest";
import { internal } from "../../functions/_generated/api.js";
import { describeFunctions, type Backend } from "./support/backend.js";
import {
  cancel,
  complete,
  fail,
  messagesOf,
  newSent,
  newThread,
  type OwnThread,
  type Sent,
} from "./support/given.js";

const MESSAGES = 4;
type Action = "begin" | "complete" | "fail" | "cancel";
type Step = { action: Action; which: number };
type Status = "unknown" | "kept" | "pending" | "processing" | "completed" | "failed" | "cancelled";

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Action>("begin") },
    { weight: 2, arbitrary: fc.constant<Action>("complete") },
    { weight: 1, arbitrary: fc.constant<Action>("fail") },
    { weight: 1, arbitrary: fc.constant<Action>("cancel") },
  ),
  which: fc.nat(MESSAGES - 1),
});

const FINISHED = new Set<Status>(["completed", "failed", "cancelled"]);

/** What one call after the other must do to a thread. */
class Model {
  status: Status[] = Array.from({ length: MESSAGES }, () => "unknown");
  order: number[] = [];

  get holder(): number | undefined {
    return this.order.find((which) => !FINISHED.has(this.status[which]!));
  }

  take({ action, which }: Step): string {
    if (action === "begin") return this.begin(which);
    const status = this.status[which]!;
    if (status === "unknown" || status === "kept") {
      if (action !== "cancel") return "NOT_FOUND";
      this.status[which] = "kept";
      return "kept";
    }
    if (FINISHED.has(status)) return status;
    if (action === "complete" && status === "pending") return "CONFLICT";
    const ended = { complete: "completed", fail: "failed", cancel: "cancelled" } as const;
    return (this.status[which] = ended[action]);
  }

  private begin(which: number): string {
    const status = this.status[which]!;
    if (status === "unknown" || status === "kept") {
      this.order.push(which);
      this.status[which] = status === "kept" ? "cancelled" : "pending";
    }
    if (FINISHED.has(this.status[which]!)) return "stop";
    if (this.holder !== which) return "wait";
    this.status[which] = "processing";
    return "go";
  }
}

/** Takes a step and names what came of it in the model's words. */
async function take(backend: Backend, sent: Sent, { action }: Step): Promise<string> {
  const { messageKey, subject } = sent;
  try {
    if (action === "begin") {
      return (await backend.admin.mutation(internal.worker.begin, sent)).state;
    }
    if (action === "complete") return (await complete(backend, messageKey)).status;
    if (action === "fail") return (await fail(backend, messageKey)).status;
    const { state } = await cancel(backend, messageKey, subject);
    if (state !== "finished") return state;
    const found = await backend.admin.query(internal.messages.read, { messageKey });
    return found!.assistant!.status;
  } catch (error) {
    return (error as { data: { code: string } }).data.code;
  }
}

/** Checks what holds in a thread at any moment. */
async function checkThread(thread: OwnThread, finished: Map<string, unknown>): Promise<void> {
  const messages = await messagesOf(thread);
  expect(messages.map(({ order }) => order)).toEqual([...messages.keys()]);
  const keys = messages.map(({ messageKey, role }) => `${messageKey} ${role}`);
  expect(new Set(keys).size).toBe(keys.length);
  const answers = messages.filter(({ role }) => role === "assistant");
  const open = answers.filter(({ status }) => !FINISHED.has(status as Status));
  expect(open.slice(1).every(({ status }) => status === "pending")).toBe(true);
  for (const answer of answers) {
    const before = finished.get(answer._id);
    if (before !== undefined) expect(answer).toEqual(before);
    if (FINISHED.has(answer.status as Status)) finished.set(answer._id, answer);
  }
}

describeFunctions("any thread", (backend) => {
  async function newMessages(): Promise<[OwnThread, Sent[]]> {
    const thread = await newThread(backend);
    return [thread, Array.from({ length: MESSAGES }, () => newSent(thread))];
  }

  it("does what the model does, one call after the other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const [thread, all] = await newMessages();
        const model = new Model();
        for (const now of steps) {
          expect(await take(backend, all[now.which]!, now)).toBe(model.take(now));
        }
        await checkThread(thread, new Map());
        const answers = (await messagesOf(thread)).filter(({ role }) => role === "assistant");
        expect(answers.map(({ status }) => status)).toEqual(
          model.order.map((which) => model.status[which]),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("keeps its orders, its turn and its ends when calls come at once", async () => {
    const batches = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(batches, async (steps) => {
        const [thread, all] = await newMessages();
        const finished = new Map<string, unknown>();
        for (const batch of steps) {
          await Promise.all(batch.map((now) => take(backend, all[now.which]!, now)));
          await checkThread(thread, finished);
        }
      }),
      { numRuns: 40 },
    );
  });
});
