import type { AnyRoute, RouteDeclaration } from '@bulkhead/http';
import type { z } from 'zod';
import type { CredentialKind, PrincipalOf } from './principal.ts';
import type { RequestContext } from './request-context.ts';

type ContextFor<Kind extends CredentialKind> = RequestContext<[Kind] extends [never] ? null : PrincipalOf<Kind>>;

/**
 * Declares a route of the platform. The credentials it lists give its handler's context a principal of just those kinds;
 * with none listed, the principal is null. A `{application_id}` in the path of a Meta-token route is checked to belong to
 * the token's organization before the handler runs, and answers 404 otherwise.
 */
export function route<
  const Kind extends CredentialKind = never,
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(declaration: RouteDeclaration<ContextFor<Kind>, Kind, Params, Query, Body>): AnyRoute {
  return declaration;
}
