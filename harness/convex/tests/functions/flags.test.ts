import { expect, it } from "vitest";
import { internal } from "../../functions/_generated/api.js";
import { FLAGS } from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import { expectRefusal, fresh } from "./support/given.js";

const { get, list, set } = internal.flags;

const newFlag = () => ({
  key: fresh("flag"),
  enabled: true,
  percentage: 25,
  kinds: ["standard" as const],
  subjects: ["ada"],
});

describeFunctions("flags", (backend) => {
  it("are null before they are set", async () => {
    expect(await backend.admin.query(get, { key: fresh("flag") })).toBeNull();
  });

  it("are replaced as a whole, under a new version", async () => {
    const flag = newFlag();
    expect(await backend.admin.mutation(set, flag)).toBe(1);
    const off = { ...flag, enabled: false, percentage: 0, kinds: [], subjects: [] };
    expect(await backend.admin.mutation(set, off)).toBe(2);
    const kept = await backend.admin.query(get, { key: flag.key });
    expect(kept).toMatchObject({ ...off, version: 2 });
    expect(await backend.admin.query(list, {})).toContainEqual(kept);
  });

  it("give every change its own version", async () => {
    const flag = newFlag();
    const versions = await Promise.all([1, 2, 3].map(() => backend.admin.mutation(set, flag)));
    expect(versions.sort()).toEqual([1, 2, 3]);
  });

  it.each([-1, 101, Number.NaN])("refuse %d %% of users", async (percentage) => {
    await expectRefusal(backend.admin.mutation(set, { ...newFlag(), percentage }), "INVALID");
  });

  it("are few, so that all can be listed", async () => {
    const known = (await backend.admin.query(list, {})).length;
    for (let n = known; n < FLAGS; n++) await backend.admin.mutation(set, newFlag());
    await expectRefusal(backend.admin.mutation(set, newFlag()), "INVALID");
    const [first] = await backend.admin.query(list, {});
    const { key, enabled, percentage, kinds, subjects, version } = first!;
    const again = { key, enabled, percentage, kinds, subjects };
    expect(await backend.admin.mutation(set, again)).toBe(version + 1);
  });
});
