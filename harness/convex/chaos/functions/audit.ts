import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalQuery } from "./server.js";

/** Everything that is kept, for who counts it afterwards. */

export const documents = internalQuery({
  args: {
    table: v.union(
      v.literal("accounts"),
      v.literal("operations"),
      v.literal("legs"),
      v.literal("runs"),
      v.literal("acts"),
      v.literal("ticks"),
    ),
    paginationOpts: paginationOptsValidator,
  },
  handler: (ctx, { table, paginationOpts }) => ctx.db.query(table).paginate(paginationOpts),
});

export const jobs = internalQuery({
  args: { paginationOpts: paginationOptsValidator },
  handler: (ctx, { paginationOpts }) =>
    ctx.db.system.query("_scheduled_functions").paginate(paginationOpts),
});
