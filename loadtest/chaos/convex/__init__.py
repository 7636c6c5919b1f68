"""The target `convex`: the local Convex engine and the unmodified npm clients."""
