import { defineConfig } from "vitest/config";

export default defineConfig({
  // Engines start as processes of their own, which takes its time on a busy machine.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
