import {
  type DataModelFromSchemaDefinition,
  type GenericMutationCtx,
  type MutationBuilder,
  type QueryBuilder,
  internalActionGeneric,
  internalMutationGeneric,
  internalQueryGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from "convex/server";
import type schema from "./schema.js";

type Model = DataModelFromSchemaDefinition<typeof schema>;
export type MutationCtx = GenericMutationCtx<Model>;

export const query = queryGeneric as QueryBuilder<Model, "public">;
export const internalQuery = internalQueryGeneric as QueryBuilder<Model, "internal">;
export const mutation = mutationGeneric as MutationBuilder<Model, "public">;
export const internalMutation = internalMutationGeneric as MutationBuilder<Model, "internal">;
export const internalAction = internalActionGeneric;

export const ref = {
  mutation: (name: string) => makeFunctionReference<"mutation">(name),
  action: (name: string) => makeFunctionReference<"action">(name),
};
