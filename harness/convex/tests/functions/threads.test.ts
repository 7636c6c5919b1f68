import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { PERMISSIONS_PER_THREAD, TITLE_CHARS } from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import { begunMessage, expectRefusal, fresh, newSent, newThread } from "./support/given.js";

const FIRST_PAGE = { numItems: 10, cursor: null };

describeFunctions("threads", (backend) => {
  it("start active, standard and empty, with their user's row", async () => {
    const { threadId, owner } = await newThread(backend);
    const { userId } = (await owner.query(api.users.me, {}))!;
    expect(await owner.query(api.threads.get, { threadId })).toMatchObject({
      _id: threadId,
      userId,
      title: "A thread",
      kind: "standard",
      status: "active",
      nextOrder: 0,
    });
  });

  it("are made by the worker for a user", async () => {
    const subject = fresh("user");
    const args = { subject, title: "Critical", kind: "critical" as const };
    const threadId = await backend.admin.mutation(internal.threads.createFor, args);
    expect(await backend.as(subject).query(api.threads.get, { threadId })).toMatchObject({
      kind: "critical",
    });
  });

  it.each([
    ["an empty title", "  "],
    ["a long title", "t".repeat(TITLE_CHARS + 1)],
  ])("refuse %s", async (_, title) => {
    await expectRefusal(
      backend.as(fresh("user")).mutation(api.threads.create, { title }),
      "INVALID",
    );
  });

  it("are null to read when unknown, malformed or another user's", async () => {
    const { threadId, owner, subject } = await newThread(backend);
    const stranger = await newThread(backend);
    expect(await stranger.owner.query(api.threads.get, { threadId })).toBeNull();
    expect(await owner.query(api.threads.get, { threadId: "no id" })).toBeNull();
    expect(await owner.query(api.threads.get, { threadId: "" })).toBeNull();
    const { userId } = (await owner.query(api.users.me, {}))!;
    expect(await owner.query(api.threads.get, { threadId: userId })).toBeNull();
    const access = (who: string, id: string) =>
      backend.admin.query(internal.threads.access, { subject: who, threadId: id });
    expect(await access(subject, threadId)).toMatchObject({ _id: threadId });
    expect(await access(stranger.subject, threadId)).toBeNull();
    expect(await access(fresh("nobody"), threadId)).toBeNull();
    expect(await access(subject, "no id")).toBeNull();
  });

  it("are listed with the newest message first, a page at a time", async () => {
    const thread = await newThread(backend);
    const { owner } = thread;
    const [first, second, third] = [
      thread.threadId,
      await owner.mutation(api.threads.create, { title: "Second" }),
      await owner.mutation(api.threads.create, { title: "Third" }),
    ];
    const later = Date.now() + 60_000;
    await begunMessage(backend, { ...thread, threadId: second }, { sentAt: later });
    await begunMessage(backend, { ...thread, threadId: first }, { sentAt: later + 1 });
    const page = await owner.query(api.threads.list, {
      paginationOpts: { numItems: 2, cursor: null },
    });
    expect(page.page.map((doc) => doc._id)).toEqual([first, second]);
    expect(page.isDone).toBe(false);
    const rest = await owner.query(api.threads.list, {
      paginationOpts: { numItems: 2, cursor: page.continueCursor },
    });
    expect(rest.page.map((doc) => doc._id)).toEqual([third]);
    expect(rest.isDone).toBe(true);
  });

  it("are listed by status, and only one's own", async () => {
    const { threadId, owner } = await newThread(backend);
    const open = await owner.mutation(api.threads.create, { title: "Open" });
    await newThread(backend);
    await owner.mutation(api.threads.archive, { threadId });
    const listed = async (status?: "active" | "archived") => {
      const args = { paginationOpts: FIRST_PAGE, ...(status && { status }) };
      const { page } = await owner.query(api.threads.list, args);
      return page.map((doc) => doc._id);
    };
    expect(await listed("active")).toEqual([open]);
    expect(await listed("archived")).toEqual([threadId]);
    expect((await listed()).sort()).toEqual([open, threadId].sort());
  });

  it("are an empty page for somebody without a row", async () => {
    const stranger = backend.as(fresh("user"));
    expect(await stranger.query(api.threads.list, { paginationOpts: FIRST_PAGE })).toMatchObject({
      page: [],
      isDone: true,
    });
  });

  it("take no new message once archived, and still answer those they took", async () => {
    const thread = await newThread(backend);
    const taken = await begunMessage(backend, thread);
    await thread.owner.mutation(api.threads.archive, { threadId: thread.threadId });
    await expectRefusal(
      backend.admin.mutation(internal.worker.begin, newSent(thread)),
      "NOT_FOUND",
    );
    expect(await backend.admin.mutation(internal.worker.begin, taken)).toMatchObject({
      state: "go",
    });
  });

  it("are archived by their own user only", async () => {
    const { threadId, owner } = await newThread(backend);
    const stranger = (await newThread(backend)).owner;
    await expectRefusal(stranger.mutation(api.threads.archive, { threadId }), "NOT_FOUND");
    expect(await owner.query(api.threads.get, { threadId })).toMatchObject({ status: "active" });
  });

  it("keep what their user lets tools do, until it is taken back", async () => {
    const { threadId, owner } = await newThread(backend);
    const say = (tool: string, permission?: "auto" | "ask" | "never") =>
      owner.mutation(api.threads.setPermission, {
        threadId,
        tool,
        ...(permission && { permission }),
      });
    const said = async () => (await owner.query(api.threads.get, { threadId }))?.permissions;
    expect(await said()).toBeUndefined();
    await say("ring", "ask");
    await say("write_file", "never");
    await say("ring", "auto");
    expect(await said()).toEqual({ ring: "auto", write_file: "never" });
    await say("write_file");
    await say("unsaid");
    expect(await said()).toEqual({ ring: "auto" });
  });

  it.each(["", "_hidden", "$x", "two words", "t".repeat(65)])(
    "take no permission for %j, which is no tool's name",
    async (tool) => {
      const { threadId, owner } = await newThread(backend);
      const args = { threadId, tool, permission: "auto" as const };
      await expectRefusal(owner.mutation(api.threads.setPermission, args), "INVALID");
    },
  );

  it("keep a bounded number of permissions", async () => {
    const { threadId, owner } = await newThread(backend);
    const say = (tool: string) =>
      owner.mutation(api.threads.setPermission, { threadId, tool, permission: "ask" });
    for (let each = 0; each < PERMISSIONS_PER_THREAD; each++) await say(`tool_${each}`);
    await say("tool_0");
    await expectRefusal(say("one_more"), "INVALID");
  });

  it("take permissions from their own user only", async () => {
    const { threadId, owner } = await newThread(backend);
    const stranger = (await newThread(backend)).owner;
    const args = { threadId, tool: "ring", permission: "auto" as const };
    await expectRefusal(stranger.mutation(api.threads.setPermission, args), "NOT_FOUND");
    expect((await owner.query(api.threads.get, { threadId }))?.permissions).toBeUndefined();
  });
});
