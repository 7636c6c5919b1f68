import type { AuthConfig } from "convex/server";

/** Clerk's session tokens. On one machine the issuer is the harness's own development key. */
export default {
  providers: [
    {
      type: "customJwt",
      issuer: process.env.CLERK_ISSUER!,
      jwks: process.env.CLERK_JWKS_URL!, // an address or a data: URI
      algorithm: "RS256",
      applicationID: "convex",
    },
  ],
} satisfies AuthConfig;
