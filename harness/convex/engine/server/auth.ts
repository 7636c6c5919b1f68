import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type JWTPayload,
  type JWTVerifyGetKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  jwtVerify,
} from "jose";
import { RequestError, StartError, messageOf } from "../failures.ts";
import { type Caller, NOBODY } from "../functions/invocation.ts";
import type { Fields, Json } from "../values/json.ts";

/** Who a request comes from: tokens of the providers in `auth.config.ts`, and the admin key. */

type ProviderConfig =
  | { type?: undefined; domain: string; applicationID: string }
  | {
      type: "customJwt";
      issuer: string;
      jwks: string;
      algorithm: "RS256" | "ES256";
      applicationID?: string;
    };

interface Provider {
  issuers: string[];
  audience: string | undefined;
  algorithms: string[];
  keys: JWTVerifyGetKey;
  /** Nested claims become fields of the identity with dotted names. */
  flattened: boolean;
}

export interface VerifiedToken {
  caller: Caller;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

const STANDARD_CLAIMS: Record<string, string> = {
  name: "name",
  given_name: "givenName",
  family_name: "familyName",
  nickname: "nickname",
  preferred_username: "preferredUsername",
  profile: "profileUrl",
  picture: "pictureUrl",
  email: "email",
  email_verified: "emailVerified",
  gender: "gender",
  birthdate: "birthday",
  zoneinfo: "timezone",
  locale: "language",
  phone_number: "phoneNumber",
  phone_number_verified: "phoneNumberVerified",
  address: "address",
  updated_at: "updatedAt",
};

/** How soon keys are fetched again for a key id that they had not. */
const REFETCH_MS = 1_000;

const REGISTERED_CLAIMS = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);

/** Keys of a file, read again for a key id that it had not, so that they can be rotated. */
function keysOfFile(path: URL): JWTVerifyGetKey {
  const read = () => createLocalJWKSet(JSON.parse(readFileSync(path, "utf8")));
  let keys = read();
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      keys = read();
      return keys(header, token);
    }
  };
}

function remoteKeys(address: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(address), { cooldownDuration: REFETCH_MS });
}

/** Keys inline in a `data:` address or of a file, else fetched and kept, and fetched again for a
 *  new key id. */
function keySet(address: string): JWTVerifyGetKey {
  if (address.startsWith("file:")) return keysOfFile(new URL(address));
  if (!address.startsWith("data:")) return remoteKeys(address);
  const [head, body] = [
    address.slice(0, address.indexOf(",")),
    address.slice(address.indexOf(",") + 1),
  ];
  const text = head.endsWith(";base64")
    ? Buffer.from(body, "base64").toString()
    : decodeURIComponent(body);
  return createLocalJWKSet(JSON.parse(text));
}

/** Keys of an OpenID provider, whose address its discovery document gives. */
function discoveredKeys(issuer: string): JWTVerifyGetKey {
  let keys: JWTVerifyGetKey | null = null;
  return async (header, token) => {
    if (!keys) {
      const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
      const { jwks_uri } = (await answer.json()) as { jwks_uri: string };
      keys = remoteKeys(jwks_uri);
    }
    return keys(header, token);
  };
}

function providerOf(config: ProviderConfig): Provider {
  if (config.type === "customJwt") {
    return {
      issuers: [config.issuer],
      audience: config.applicationID,
      algorithms: [config.algorithm],
      keys: keySet(config.jwks),
      flattened: true,
    };
  }
  const address = config.domain.includes("://") ? config.domain : `https://${config.domain}`;
  const plain = address.replace(/\/$/, "");
  return {
    issuers: [plain, `${plain}/`, config.domain],
    audience: config.applicationID,
    algorithms: ["RS256", "ES256"],
    keys: discoveredKeys(plain),
    flattened: false,
  };
}

function addClaim(identity: Fields, name: string, value: Json, flattened: boolean): void {
  const nested = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!flattened || !nested) {
    identity[name] = value;
    return;
  }
  for (const [part, inner] of Object.entries(value)) {
    addClaim(identity, `${name}.${part}`, inner, flattened);
  }
}

/** What functions are told of a user: standard claims under Convex's names, others under theirs.
 *  @see https://docs.convex.dev/auth/functions-auth
 */
function identityOf(claims: Record<string, unknown>, flattened: boolean): Fields {
  const identity: Fields = {
    tokenIdentifier: `${claims.iss as string}|${claims.sub as string}`,
    issuer: claims.iss as string,
    subject: claims.sub as string,
  };
  for (const [claim, value] of Object.entries(claims)) {
    if (value === null || value === undefined || REGISTERED_CLAIMS.has(claim)) continue;
    const field = STANDARD_CLAIMS[claim];
    if (field) identity[field] = value as Json;
    else addClaim(identity, claim, value as Json, flattened);
  }
  return identity;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Reads the default export of `auth.config.ts`.
 *  @throws StartError naming the provider and what it lacks.
 */
export function readProviders(exported: unknown): Provider[] {
  const { providers } = (exported ?? {}) as { providers?: ProviderConfig[] };
  if (!Array.isArray(providers)) {
    throw new StartError("auth.config.ts: its default export has no list of providers");
  }
  return providers.map((config, i) => {
    const needed =
      config.type === "customJwt" ? ["issuer", "jwks", "algorithm"] : ["domain", "applicationID"];
    for (const field of needed) {
      if (!(config as unknown as Record<string, unknown>)[field]) {
        throw new StartError(`auth.config.ts: provider ${i + 1} has no ${field}`);
      }
    }
    try {
      return providerOf(config);
    } catch (error) {
      throw new StartError(`auth.config.ts: provider ${i + 1}: ${messageOf(error)}`);
    }
  });
}

/** @see https://docs.convex.dev/api/classes/browser.ConvexHttpClient, `setAdminAuth` */
function parsedIdentity(text: string): Fields | null {
  try {
    const identity: unknown = JSON.parse(Buffer.from(text, "base64").toString());
    return typeof identity === "object" && identity !== null ? (identity as Fields) : null;
  } catch {
    return null;
  }
}

export class Authenticator {
  readonly #providers: Provider[];
  readonly #adminKey: Buffer;

  constructor(providers: Provider[], adminKey: string) {
    this.#providers = providers;
    this.#adminKey = digest(adminKey);
  }

  /** Verifies a user's token.
   *  @throws RequestError 401 saying what is wrong with it.
   */
  async user(token: string): Promise<VerifiedToken> {
    const refuse = (code: string, reason: string): never => {
      throw new RequestError(401, code, reason);
    };
    let claims: JWTPayload;
    try {
      claims = decodeJwt(token);
    } catch {
      return refuse("InvalidAuthHeader", "Could not parse the token as a JWT.");
    }
    const audiences = [claims.aud ?? []].flat();
    // An issuer may have several applications, each a provider of its own.
    const provider = this.#providers.find(
      ({ issuers, audience }) =>
        issuers.includes(claims.iss ?? "") && (!audience || audiences.includes(audience)),
    );
    if (!provider) {
      return refuse(
        "NoAuthProvider",
        "No auth provider found matching the given token " +
          `(issuer ${claims.iss}, audience ${audiences.join(", ") || "none"}).`,
      );
    }
    try {
      const { payload } = await jwtVerify(token, provider.keys, {
        issuer: provider.issuers,
        algorithms: provider.algorithms,
        clockTolerance: 5,
        requiredClaims: ["sub", "exp", "iss"],
        ...(provider.audience ? { audience: provider.audience } : {}),
      });
      const identity = identityOf(payload, provider.flattened);
      return { caller: { identity, admin: false }, expiresAt: payload.exp! * 1000 };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return refuse("ExpiredToken", "Token expired");
      return refuse("InvalidToken", `Could not verify the token: ${messageOf(error)}`);
    }
  }

  /** Checks the admin key.
   *  @param actingAs The identity functions are to see.
   *  @throws RequestError 401
   */
  admin(key: string, actingAs?: Fields): Caller {
    // Digests are compared so that neither time nor length tells anything of the key.
    if (!timingSafeEqual(digest(key), this.#adminKey)) {
      throw new RequestError(
        401,
        "BadAdminKey",
        "The provided admin key was invalid for this instance",
      );
    }
    if (!actingAs) return { identity: null, admin: true };
    const { issuer, subject } = actingAs as { issuer?: string; subject?: string };
    return { identity: { tokenIdentifier: `${issuer}|${subject}`, ...actingAs }, admin: true };
  }

  /** A key alone, or followed by `:` and the identity to act as: base64 of its JSON. */
  #adminOfHeader(value: string): Caller {
    const colon = value.lastIndexOf(":");
    const actingAs = colon < 0 ? null : parsedIdentity(value.slice(colon + 1));
    return actingAs ? this.admin(value.slice(0, colon), actingAs) : this.admin(value);
  }

  /** The caller an `Authorization` header names. */
  async fromHeader(header: string | undefined): Promise<Caller> {
    if (!header) return NOBODY;
    const [scheme, value = ""] = [
      header.slice(0, header.indexOf(" ")),
      header.slice(header.indexOf(" ") + 1),
    ];
    if (scheme === "Bearer") return (await this.user(value)).caller;
    if (scheme === "Convex") return this.#adminOfHeader(value);
    throw new RequestError(
      401,
      "InvalidAuthHeader",
      "The Authorization header must begin with 'Bearer ' or 'Convex '.",
    );
  }
}
