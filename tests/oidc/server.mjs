// A certified OpenID provider with everything strict: PKCE, rotation with reuse detection, no
// tolerance of clocks. Prints {"url": …} as its first line; appends its events to a ledger.
//
//   node server.mjs LEDGER KEY.pem REDIRECT_URI ACCESS_TOKEN_SECONDS CLIENT_PUBLIC_KEY.pem [push]
//
// With push it takes pushed authorization requests alone (RFC 9126).

import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const [ledgerFile, keyFile, redirectUri, lifetime, clientKeyFile, push] = process.argv.slice(2);

const SECRET = "a secret/with+signs%20and=more";

const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";

const fingerprint = (text) => createHash("sha256").update(text).digest("base64url");

const write = (event, facts) =>
  appendFileSync(ledgerFile, JSON.stringify({ at: Date.now() / 1000, event, ...facts }) + "\n");

const client = (id, method, proof = { client_secret: SECRET }) => ({
  client_id: id,
  ...proof,
  redirect_uris: [redirectUri.replace("CLIENT", id)],
  token_endpoint_auth_method: method,
  grant_types: ["authorization_code", "refresh_token", DEVICE],
  response_types: ["code"],
});

function signingKey() {
  const key = createPublicKey(readFileSync(clientKeyFile)).export({ format: "jwk" });
  return {
    jwks: { keys: [{ ...key, kid: "key-1", use: "sig", alg: "ES256" }] },
    token_endpoint_auth_signing_alg: "ES256",
  };
}

function configuration() {
  const key = createPrivateKey(readFileSync(keyFile));
  return {
    clients: [
      client("basic", "client_secret_basic"),
      client("post", "client_secret_post"),
      client("signed", "private_key_jwt", signingKey()),
    ],
    clockTolerance: 0,
    cookies: { keys: [fingerprint(readFileSync(keyFile))] },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      pushedAuthorizationRequests: {
        enabled: true,
        requirePushedAuthorizationRequests: push === "push",
      },
      revocation: { enabled: true },
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    issueRefreshToken: () => true,
    jwks: { keys: [{ ...key.export({ format: "jwk" }), use: "sig" }] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access"],
    ttl: {
      AccessToken: Number(lifetime),
      Grant: 3600,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 3600,
    },
  };
}

// A token's id is its own value, so that its fingerprint is that of what the client holds.
function record(provider) {
  const saved = (event) => (token) =>
    write(event, {
      client: token.clientId,
      grant: token.grantId,
      user: token.accountId,
      id: fingerprint(token.jti),
    });
  provider.on("access_token.saved", saved("access_issued"));
  provider.on("refresh_token.saved", saved("refresh_issued"));
  provider.on("refresh_token.consumed", saved("refresh_consumed"));
  provider.on("grant.revoked", (_, grant) => write("grant_revoked", { grant }));
  provider.on("grant.success", (ctx) =>
    write("grant", {
      outcome: "accepted",
      client: ctx.oidc.client.clientId,
      grant_type: ctx.oidc.params.grant_type,
      access: fingerprint(ctx.body.access_token),
      refresh: ctx.body.refresh_token && fingerprint(ctx.body.refresh_token),
    }));
  provider.on("grant.error", (ctx, error) =>
    write("grant", {
      outcome: "refused",
      client: ctx.oidc.client?.clientId,
      grant_type: ctx.oidc.params?.grant_type,
      error: error.message,
      why: error.error_detail ?? error.error_description,
    }));
  provider.on("pushed_authorization_request.success", (ctx) =>
    write("push", { outcome: "accepted", client: ctx.oidc.client.clientId }));
  provider.on("pushed_authorization_request.error", (_, error) =>
    write("push", { outcome: "refused", error: error.message, why: error.error_detail }));
  provider.on("revocation.success", (ctx) =>
    write("revocation", { client: ctx.oidc.client.clientId }));
  provider.on("server_error", (_, error) => write("server_error", { why: String(error) }));
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, configuration());
  record(provider);
  server.on("request", provider.callback());
  console.log(JSON.stringify({ url }));
});
