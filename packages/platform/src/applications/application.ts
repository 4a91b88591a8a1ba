import { defineId, type ApplicationId } from '@bulkhead/base';

export const apiKeyId = defineId('key');
export const redirectUriId = defineId('ruri');
export const trustedDomainId = defineId('tdom');
export const oauthKeyId = defineId('okey');

export type ApplicationEnvironment = 'development' | 'staging' | 'production';

/** An Application: the sealed compartment, the tenant. */
export interface Application {
  readonly applicationId: ApplicationId;
  readonly organizationId: string;
  readonly name: string;
  readonly description: string;
  readonly logoUrl: string | null;
  readonly environment: ApplicationEnvironment;
  readonly active: boolean;
  readonly implicitGrantEnabled: boolean;
  readonly pkceRequired: boolean;
  readonly recentEnabled: boolean;
  readonly eventsEnabled: boolean;
  readonly endCustomer: string | null;
  /** Services offered for connecting; null = all that are set up. */
  readonly enabledServices: readonly string[] | null;
  /** The template it was cloned from, and the template's revision then. */
  readonly sourceApplicationId: string | null;
  readonly sourceRevision: number | null;
  /** Raised by every change of configuration. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

/** How the connect page looks. Every field may be null: then the Application's own name and the default colours serve. */
export interface Branding {
  readonly displayName: string | null;
  readonly logoUrl: string | null;
  readonly primaryColour: string | null;
  readonly backgroundColour: string | null;
  readonly supportUrl: string | null;
  readonly privacyUrl: string | null;
  readonly locale: string | null;
  readonly redirectDomain: string | null;
}

/** What the slices above need to know of an Application. */
export interface ApplicationSettings extends Application {
  readonly branding: Branding;
}

export interface EventSettings {
  readonly enabled: boolean;
  readonly retentionHours: number;
  readonly types: readonly string[] | null;
}

/** Fields of an Application that its owner may set; undefined = leave as it is. */
export type ApplicationChanges = {
  readonly [Field in
    | 'name'
    | 'description'
    | 'logoUrl'
    | 'environment'
    | 'active'
    | 'implicitGrantEnabled'
    | 'pkceRequired'
    | 'recentEnabled'
    | 'eventsEnabled'
    | 'endCustomer'
    | 'enabledServices']?: Application[Field] | undefined;
};

export type BrandingChanges = { readonly [Field in keyof Branding]?: Branding[Field] | undefined };
export type EventSettingsChanges = { readonly [Field in keyof EventSettings]?: EventSettings[Field] | undefined };

/** Most children of one kind that an Application holds. */
export const CHILDREN_MAX = { apiKeys: 100, redirectUris: 1000, trustedDomains: 1000, customServices: 200 } as const;
