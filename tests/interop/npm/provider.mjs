// An OpenID provider on loopback: one client, access tokens as JWTs for one resource, with a claim of groups.
// node provider.mjs PORT AUDIENCE; the client's secret and groups come on standard input as one line of JSON.
// Prints "ready" when it listens. Its signing key is new with every start.
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [port, audience] = process.argv.slice(2);
const [line] = await once(createInterface({ input: process.stdin }), "line");
const { secret, groups } = JSON.parse(line);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const scope = "dicom";

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "viewer", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
  scopes: [scope],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:leadglass",
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
