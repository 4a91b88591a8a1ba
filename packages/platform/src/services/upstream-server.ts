import * as oauth from 'oauth4webapi';
import type { UpstreamService } from './service.ts';
import { urlProblem } from './service-url.ts';
import { servicesErrors } from './services-errors.ts';
import { callUpstream, parseJsonObject, type UpstreamCall } from './upstream-http.ts';

const METADATA_BYTES_MAX = 512 * 1024;

/**
 * The authorization server of one flow, fixed when the flow begins: plain data, so that it can be kept with the transaction and
 * the code is redeemed at the very endpoints the flow was begun with.
 */
export interface UpstreamServer {
  /** RFC 8414 issuer; null where the service names none. */
  readonly issuer: string | null;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint: string | null;
  /** The metadata promises `iss` in every authorization response (RFC 9207 §3): then its absence ends the flow. */
  readonly issPromised: boolean;
  /** `id_token_signing_alg_values_supported`, asymmetric ones only. */
  readonly idTokenAlgorithms: readonly string[];
}

type Metadata = Omit<UpstreamServer, 'issuer' | 'authorizationEndpoint' | 'tokenEndpoint'> & {
  readonly issuer: string;
  readonly authorizationEndpoint: string | null;
  readonly tokenEndpoint: string | null;
};

/** What servers answer where they have nothing. An outage (5xx, 429) is not among them. */
const ABSENT: ReadonlySet<number> = new Set([400, 404, 405, 410, 501]);

function discoveryFailed(problem: string) {
  return servicesErrors('upstream.discovery_failed', { params: { problem } });
}

function endpoint(issuer: string, document: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = document[name];
  if (value === undefined || value === null) return null;
  const problem = typeof value === 'string' ? urlProblem(value) : 'expected a URL';
  if (problem !== null) throw discoveryFailed(`${name}: ${problem}`);
  // An https issuer that sends secrets over http would lose what https gave.
  if (issuer.startsWith('https:') && !(value as string).startsWith('https:'))
    throw discoveryFailed(`${name}: expected https, as the issuer has it`);
  return value as string;
}

function readMetadata(issuer: string, document: Readonly<Record<string, unknown>>): Metadata {
  const algorithms = document['id_token_signing_alg_values_supported'];
  return {
    issuer: document['issuer'] as string,
    authorizationEndpoint: endpoint(issuer, document, 'authorization_endpoint'),
    tokenEndpoint: endpoint(issuer, document, 'token_endpoint'),
    revocationEndpoint: endpoint(issuer, document, 'revocation_endpoint'),
    issPromised: document['authorization_response_iss_parameter_supported'] === true,
    idTokenAlgorithms: Array.isArray(algorithms)
      ? algorithms.filter((name) => typeof name === 'string' && /^(?:[RPE]S(?:256|384|512)|EdDSA|Ed25519)$/.test(name))
      : [],
  };
}

/**
 * Reads an issuer's metadata: OpenID Connect Discovery 1.0 §4 first, then RFC 8414 §3. The document must name this very issuer
 * (RFC 8414 §3.3). Null where both places have nothing; every other failure throws, because a server that is down for a
 * moment must not lose its promise of `iss`.
 */
export async function discover(issuer: string, call: UpstreamCall): Promise<Metadata | null> {
  const url = new URL(issuer);
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    let status = 0;
    let metadata: Readonly<Record<string, unknown>> | undefined;
    try {
      const response = await oauth.discoveryRequest(url, {
        algorithm,
        [oauth.allowInsecureRequests]: true, // whether http is allowed anywhere is decided by egress
        [oauth.customFetch]: async (target, init) => {
          const answer = await callUpstream(call, target, { method: 'GET', headers: init.headers }, METADATA_BYTES_MAX);
          ({ status } = answer);
          metadata = parseJsonObject(answer.text);
          return new Response(status === 200 ? JSON.stringify(metadata ?? {}) : '{}', {
            status: status === 200 ? 200 : 500,
            headers: { 'content-type': 'application/json' },
          });
        },
      });
      if (ABSENT.has(status)) continue;
      if (status !== 200) throw discoveryFailed(`status ${status}`);
      if (metadata === undefined) throw discoveryFailed('it is not a JSON object');
      await oauth.processDiscoveryResponse(url, response);
    } catch (error) {
      if (error instanceof oauth.OperationProcessingError) throw discoveryFailed('it names another issuer, or none');
      throw error;
    }
    return readMetadata(issuer, metadata);
  }
  return null;
}

/**
 * The authorization server of an OAuth 2.0 service. Endpoints written in the definition win over discovered ones. Throws
 * `upstream.discovery_failed` where an endpoint is missing in both.
 */
export async function resolveServer(service: UpstreamService, call: UpstreamCall): Promise<UpstreamServer> {
  const { auth } = service.definition;
  if (auth.type !== 'oauth2') throw new TypeError(`service ${service.definition.id} has no authorization server`);
  const metadata = auth.issuer === undefined ? null : await discover(auth.issuer, call);
  const authorizationEndpoint = auth.authorization_endpoint ?? metadata?.authorizationEndpoint;
  const tokenEndpoint = auth.token_endpoint ?? metadata?.tokenEndpoint;
  if (!authorizationEndpoint) throw discoveryFailed('no authorization_endpoint');
  if (!tokenEndpoint) throw discoveryFailed('no token_endpoint');
  return {
    issuer: metadata?.issuer ?? auth.issuer ?? null,
    authorizationEndpoint,
    tokenEndpoint,
    revocationEndpoint: auth.revocation_endpoint ?? metadata?.revocationEndpoint ?? null,
    issPromised: metadata?.issPromised ?? false,
    idTokenAlgorithms: metadata?.idTokenAlgorithms ?? [],
  };
}
