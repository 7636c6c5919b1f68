import { expect, it } from "vitest";
import { internal } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import { fresh } from "./support/given.js";

describeFunctions("analytics", (backend) => {
  it("are listed by event, newest first, a page at a time", async () => {
    const [event, other] = [fresh("event"), fresh("event")];
    for (const at of [1, 3, 2]) {
      const props = { at, note: "text", new: true };
      await backend.admin.mutation(internal.analytics.record, { event, at, props });
    }
    await backend.admin.mutation(internal.analytics.record, { event: other, at: 4, props: {} });
    const page = await backend.admin.query(internal.analytics.list, {
      event,
      paginationOpts: { numItems: 2, cursor: null },
    });
    expect(page.page.map(({ at }) => at)).toEqual([3, 2]);
    const rest = await backend.admin.query(internal.analytics.list, {
      event,
      paginationOpts: { numItems: 2, cursor: page.continueCursor },
    });
    expect(rest.page).toMatchObject([{ at: 1, props: { at: 1, note: "text", new: true } }]);
    expect(rest.isDone).toBe(true);
  });

  it("keep whose and which message it was where it is known", async () => {
    const about = { event: fresh("event"), subject: "ada", threadId: "t", messageKey: "k" };
    await backend.admin.mutation(internal.analytics.record, { ...about, at: 1, props: {} });
    const { page } = await backend.admin.query(internal.analytics.list, {
      event: about.event,
      paginationOpts: { numItems: 2, cursor: null },
    });
    expect(page).toMatchObject([about]);
  });

  it("of one message are found by its key, oldest first", async () => {
    const messageKey = fresh("key");
    for (const at of [2, 1]) {
      const event = fresh("event");
      await backend.admin.mutation(internal.analytics.record, { event, at, messageKey, props: {} });
    }
    const other = { event: fresh("event"), at: 3, messageKey: fresh("key"), props: {} };
    await backend.admin.mutation(internal.analytics.record, other);
    const found = await backend.admin.query(internal.analytics.forMessage, { messageKey });
    expect(found.map(({ at }) => at)).toEqual([1, 2]);
  });
});
