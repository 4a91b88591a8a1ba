export {
  type Actor,
  actorOf,
  type ApiKeyPrincipal,
  type BearerPrincipal,
  type ClientPrincipal,
  type CredentialKind,
  type MetaTokenPrincipal,
  type PassthroughDetail,
  type Principal,
} from './principal.ts';
export { type ChangeFence, RequestContext } from './request-context.ts';
export { route } from './route.ts';
