import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import { fresh } from "./support/given.js";

describeFunctions("users", (backend) => {
  it("are unknown before their first write", async () => {
    expect(await backend.as(fresh("user")).query(api.users.me, {})).toBeNull();
  });

  it("are made once, from the token", async () => {
    const subject = fresh("user");
    const user = backend.as(subject, "Ada");
    const userId = await user.mutation(api.users.ensure, {});
    expect(await user.mutation(api.users.ensure, {})).toBe(userId);
    expect(await user.query(api.users.me, {})).toEqual({ userId, subject, name: "Ada" });
  });

  it("are made once when two first calls come together", async () => {
    const user = backend.as(fresh("user"));
    const ids = await Promise.all([
      user.mutation(api.users.ensure, {}),
      user.mutation(api.users.ensure, {}),
      user.mutation(api.users.ensure, {}),
    ]);
    expect(new Set(ids).size).toBe(1);
  });

  it("take a new name, and keep it when a call brings none", async () => {
    const subject = fresh("user");
    const userId = await backend.admin.mutation(internal.users.ensureSubject, { subject });
    await backend.admin.mutation(internal.users.ensureSubject, { subject, name: "Grace" });
    await backend.admin.mutation(internal.users.ensureSubject, { subject });
    expect(await backend.as(subject).query(api.users.me, {})).toEqual({
      userId,
      subject,
      name: "Grace",
    });
  });
});
