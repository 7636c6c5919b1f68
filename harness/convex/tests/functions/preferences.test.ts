import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import {
  PREFERENCE_KEY_CHARS,
  PREFERENCE_VALUE_CHARS,
  PREFERENCES_PER_USER,
} from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import { expectRefusal, fresh, newSent, newThread } from "./support/given.js";

describeFunctions("preferences", (backend) => {
  it("are empty for somebody who set none", async () => {
    const subject = fresh("user");
    expect(await backend.as(subject).query(api.preferences.list, {})).toEqual([]);
    expect(await backend.admin.query(internal.preferences.forSubject, { subject })).toEqual([]);
  });

  it("are listed by key with their last values", async () => {
    const user = backend.as(fresh("user"));
    await user.mutation(api.preferences.set, { key: "tone", value: "formal" });
    await user.mutation(api.preferences.set, { key: "language", value: "German" });
    await user.mutation(api.preferences.set, { key: "tone", value: "brief" });
    expect(await user.query(api.preferences.list, {})).toEqual([
      { key: "language", value: "German", updatedAt: expect.any(Number) },
      { key: "tone", value: "brief", updatedAt: expect.any(Number) },
    ]);
  });

  it("are the same for the worker and for their user", async () => {
    const subject = fresh("user");
    const preference = { key: "tone", value: "brief" };
    await backend.admin.mutation(internal.preferences.setFor, { subject, ...preference });
    expect(await backend.as(subject).query(api.preferences.list, {})).toMatchObject([preference]);
    expect(await backend.admin.query(internal.preferences.forSubject, { subject })).toMatchObject([
      preference,
    ]);
  });

  it("stay apart between users", async () => {
    const [one, other] = [backend.as(fresh("user")), backend.as(fresh("user"))];
    await one.mutation(api.preferences.set, { key: "tone", value: "brief" });
    await other.mutation(api.preferences.remove, { key: "tone" });
    expect(await other.query(api.preferences.list, {})).toEqual([]);
    expect(await one.query(api.preferences.list, {})).toHaveLength(1);
  });

  it("are removed, also when they are gone already", async () => {
    const user = backend.as(fresh("user"));
    await user.mutation(api.preferences.set, { key: "tone", value: "brief" });
    await user.mutation(api.preferences.remove, { key: "tone" });
    await user.mutation(api.preferences.remove, { key: "tone" });
    expect(await user.query(api.preferences.list, {})).toEqual([]);
  });

  it("are removed by the worker, of one user alone, also when they are gone already", async () => {
    const [subject, other] = [fresh("user"), fresh("user")];
    for (const each of [subject, other]) {
      await backend.as(each).mutation(api.preferences.set, { key: "tone", value: "brief" });
    }
    await backend.admin.mutation(internal.preferences.removeFor, { subject, key: "tone" });
    await backend.admin.mutation(internal.preferences.removeFor, { subject, key: "tone" });
    expect(await backend.as(subject).query(api.preferences.list, {})).toEqual([]);
    expect(await backend.as(other).query(api.preferences.list, {})).toHaveLength(1);
  });

  it("are removed of nobody where there is no such user", async () => {
    const missing = { subject: fresh("user"), key: "tone" };
    expect(await backend.admin.mutation(internal.preferences.removeFor, missing)).toBeNull();
  });

  it.each([
    ["an empty key", { key: " ", value: "brief" }],
    ["an empty value", { key: "tone", value: "" }],
    ["a long key", { key: "k".repeat(PREFERENCE_KEY_CHARS + 1), value: "brief" }],
    ["a long value", { key: "tone", value: "v".repeat(PREFERENCE_VALUE_CHARS + 1) }],
  ])("refuse %s", async (_, preference) => {
    await expectRefusal(
      backend.as(fresh("user")).mutation(api.preferences.set, preference),
      "INVALID",
    );
  });

  it("have another version after every change, and the same one without", async () => {
    const { subject, owner: user } = await newThread(backend);
    const current = () => backend.admin.query(internal.preferences.current, { subject });
    expect(await current()).toEqual({ version: 0, preferences: [] });
    const versions = [0];
    const changed = async () => versions.push((await current()).version);
    await user.mutation(api.preferences.set, { key: "tone", value: "brief" });
    await changed();
    await user.mutation(api.preferences.set, { key: "tone", value: "formal" });
    await changed();
    const preference = { key: "language", value: "German" };
    await backend.admin.mutation(internal.preferences.setFor, { subject, ...preference });
    await changed();
    await user.mutation(api.preferences.remove, { key: "tone" });
    await changed();
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    await user.mutation(api.preferences.remove, { key: "tone" });
    expect(await current()).toMatchObject({ version: versions.at(-1), preferences: [preference] });
  });

  it("tell a run their version when it begins", async () => {
    const thread = await newThread(backend);
    const begin = async () =>
      await backend.admin.mutation(internal.worker.begin, newSent(thread, { messageKey: "begun" }));
    expect(await begin()).toMatchObject({ preferencesVersion: 0 });
    await thread.owner.mutation(api.preferences.set, { key: "tone", value: "brief" });
    const { subject } = thread;
    const { version } = await backend.admin.query(internal.preferences.current, { subject });
    expect(await begin()).toMatchObject({ preferencesVersion: version });
  });

  it("refuse one more than a user may have, and still change those", async () => {
    const user = backend.as(fresh("user"));
    for (let n = 0; n < PREFERENCES_PER_USER; n++) {
      await user.mutation(api.preferences.set, { key: `key-${n}`, value: "first" });
    }
    await expectRefusal(
      user.mutation(api.preferences.set, { key: "one-more", value: "first" }),
      "INVALID",
    );
    await user.mutation(api.preferences.set, { key: "key-0", value: "second" });
    const kept = await user.query(api.preferences.list, {});
    expect(kept).toHaveLength(PREFERENCES_PER_USER);
    expect(kept[0]).toMatchObject({ key: "key-0", value: "second" });
  });
});
