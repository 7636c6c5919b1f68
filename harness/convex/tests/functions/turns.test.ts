import { expect, it } from "vitest";
import { internal } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import {
  answerOf,
  begunMessage,
  cancel,
  complete,
  expectRefusal,
  fail,
  messagesOf,
  newSent,
  newThread,
  startAttempt,
  type Sent,
} from "./support/given.js";

describeFunctions("a thread's turn", (backend) => {
  const begin = (sent: Sent) => backend.admin.mutation(internal.worker.begin, sent);

  it("goes to the first message, which is kept with its answer to come", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    const begun = await begin(sent);
    const { messageKey } = sent;
    expect(begun).toMatchObject({ state: "go", order: 1, status: "processing", next: messageKey });
    expect(await messagesOf(thread)).toMatchObject([
      { _id: begun.userMessageId, order: 0, messageKey, content: sent.text, sentAt: sent.sentAt },
      { _id: begun.messageId, order: 1, messageKey, inngestJobId: "run-1" },
    ]);
  });

  it("is answered alike however often a run begins", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    const first = await begin(sent);
    expect(await begin(sent)).toEqual(first);
    expect(await messagesOf(thread)).toHaveLength(2);
  });

  it("is granted once to a message that two runs begin at once", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    const [one, other] = await Promise.all([begin(sent), begin({ ...sent, runId: "run-2" })]);
    expect(one).toEqual(other);
    expect(await messagesOf(thread)).toHaveLength(2);
  });

  it("is one message's of many that begin at once, with orders that have no gap", async () => {
    const thread = await newThread(backend);
    const all = Array.from({ length: 6 }, () => newSent(thread));
    const begun = await Promise.all(all.map(begin));
    const messages = await messagesOf(thread);
    expect(messages.map(({ order }) => order)).toEqual([...Array(12).keys()]);
    const granted = begun.filter(({ state }) => state === "go");
    expect(granted.map(({ order }) => order)).toEqual([1]);
  });

  it("is waited for by later messages, which learn who has it", async () => {
    const thread = await newThread(backend);
    const [first, second] = [newSent(thread), newSent(thread)];
    await begin(first);
    const waiting = { state: "wait", order: 3, status: "pending", next: first.messageKey };
    expect(await begin(second)).toMatchObject(waiting);
    expect(await begin(second)).toMatchObject(waiting);
  });

  it("passes to the next message at an end, whose run then may go", async () => {
    const thread = await newThread(backend);
    const [first, second, third] = [newSent(thread), newSent(thread), newSent(thread)];
    for (const sent of [first, second, third]) await begin(sent);
    expect(await complete(backend, first.messageKey)).toMatchObject({ next: second.messageKey });
    expect(await begin(third)).toMatchObject({ state: "wait", next: second.messageKey });
    expect(await begin(second)).toMatchObject({ state: "go", status: "processing" });
    expect(await fail(backend, second.messageKey)).toMatchObject({ next: third.messageKey });
    expect(await begin(third)).toMatchObject({ state: "go" });
    expect(await complete(backend, third.messageKey)).toMatchObject({ next: null });
  });

  it("skips a message that was cancelled while it waited", async () => {
    const thread = await newThread(backend);
    const [first, second, third] = [newSent(thread), newSent(thread), newSent(thread)];
    for (const sent of [first, second, third]) await begin(sent);
    expect(await cancel(backend, second.messageKey, thread.subject)).toEqual({
      state: "cancelled",
      next: first.messageKey,
    });
    expect(await complete(backend, first.messageKey)).toMatchObject({ next: third.messageKey });
    expect(await begin(second)).toMatchObject({ state: "stop", next: third.messageKey });
  });

  it("does not hold up another thread", async () => {
    const first = newSent(await newThread(backend));
    const second = newSent(await newThread(backend));
    expect(await begin(first)).toMatchObject({ state: "go" });
    expect(await begin(second)).toMatchObject({ state: "go" });
  });

  it("is not given to a finished message", async () => {
    const thread = await newThread(backend);
    const sent = await begunMessage(backend, thread);
    await complete(backend, sent.messageKey);
    expect(await begin(sent)).toMatchObject({ state: "stop", status: "completed", next: null });
  });

  it("is needed to stream and to complete", async () => {
    const thread = await newThread(backend);
    await begunMessage(backend, thread);
    const { messageKey } = await begunMessage(backend, thread);
    await expectRefusal(startAttempt(backend, messageKey, 0), "CONFLICT");
    await expectRefusal(complete(backend, messageKey), "CONFLICT");
    expect(await answerOf(backend, messageKey)).toMatchObject({ status: "pending" });
  });

  it("leaves a message to the run that begins it last", async () => {
    const thread = await newThread(backend);
    const sent = await begunMessage(backend, thread);
    await begin({ ...sent, runId: "run-2" });
    expect(await answerOf(backend, sent.messageKey)).toMatchObject({ inngestJobId: "run-2" });
  });

  it("is refused to a key of another thread", async () => {
    const thread = await newThread(backend);
    const sent = await begunMessage(backend, thread);
    const { threadId } = await newThread(backend);
    await expectRefusal(begin({ ...sent, threadId }), "NOT_FOUND");
    const other = await backend.admin.mutation(internal.threads.createFor, {
      subject: thread.subject,
      title: "Another",
    });
    await expectRefusal(begin({ ...sent, threadId: other }), "CONFLICT");
  });

  it("is refused in a thread that is not there", async () => {
    const thread = await newThread(backend);
    await expectRefusal(begin(newSent(thread, { threadId: "no id" })), "NOT_FOUND");
  });
});
