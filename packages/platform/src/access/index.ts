export {
  type Actor,
  actorOf,
  type ApiKeyPrincipal,
  type BearerPrincipal,
  type ClientPrincipal,
  type CredentialKind,
  type InstallPrincipal,
  type InvocationPrincipal,
  isNamedOnly,
  type MetaTokenPrincipal,
  partyOf,
  type PassthroughDetail,
  type Principal,
} from './principal.ts';
export { type ChangeFence, RequestContext } from './request-context.ts';
export { route } from './route.ts';
