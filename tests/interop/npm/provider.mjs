// An OpenID provider on loopback: one client, access tokens as JWTs for one resource, with a claim of groups.
// node provider.mjs PORT AUDIENCE [CALLBACK]; the client's secret and groups come on standard input as one line of JSON.
// With CALLBACK a second client, "pages", signs people in (any name and password will do), who are in these groups.
// Prints "ready" when it listens. Its signing key is new with every start.
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [port, audience, callback] = process.argv.slice(2);
const [line] = await once(createInterface({ input: process.stdin }), "line");
const { secret, groups } = JSON.parse(line);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const scope = "dicom";
const pages = {
  client_id: "pages", client_secret: secret, grant_types: ["authorization_code"], redirect_uris: [callback],
  response_types: ["code"], scope: "openid profile", token_endpoint_auth_method: "client_secret_basic",
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "viewer", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope }, ...(callback ? [pages] : [])],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
  scopes: ["openid", "profile", scope],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  pkce: { required: () => true },
  cookies: { keys: [secret] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, name: "Anna Rossi", preferred_username: sub, groups }) }),
  features: {
    devInteractions: { enabled: Boolean(callback) },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.clientId === "viewer" ? "urn:leadglass" : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope, audience, accessTokenFormat: "jwt", accessTokenTTL: 3600, jwt: { sign: { alg: "RS256" } } }),
    },
  },
  extraTokenClaims: () => ({ groups }),
  ttl: { ClientCredentials: 3600 },
});
const server = provider.listen(Number(port), "127.0.0.1");
await once(server, "listening");
console.log("ready");
