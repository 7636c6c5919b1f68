import {
  type DataModelFromSchemaDefinition,
  type MutationBuilder,
  type QueryBuilder,
  mutationGeneric,
  queryGeneric,
} from "convex/server";
import type schema from "./schema.ts";

type Model = DataModelFromSchemaDefinition<typeof schema>;

export const query = queryGeneric as QueryBuilder<Model, "public">;
export const mutation = mutationGeneric as MutationBuilder<Model, "public">;
