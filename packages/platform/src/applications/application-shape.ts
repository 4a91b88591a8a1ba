import type { z } from 'zod';
import type { Application, ApplicationChanges, Branding, BrandingChanges, EventSettings, EventSettingsChanges } from './application.ts';
import type {
  applicationAnswer,
  applicationFields,
  brandingAnswer,
  brandingBody,
  eventSettingsAnswer,
  eventSettingsBody,
} from './application-messages.ts';

/** The Application as the Meta API shows it. */
export function applicationShape(
  application: Application,
  branding: Branding | null,
  publicUrl: string,
): z.input<typeof applicationAnswer> {
  return {
    id: application.applicationId,
    name: application.name,
    description: application.description,
    logo_url: application.logoUrl,
    active: application.active,
    environment: application.environment,
    implicit_grant_enabled: application.implicitGrantEnabled,
    pkce_required: application.pkceRequired,
    recent_enabled: application.recentEnabled,
    events_enabled: application.eventsEnabled,
    end_customer: application.endCustomer,
    enabled_services: application.enabledServices === null ? null : [...application.enabledServices],
    source: application.sourceApplicationId,
    source_revision: application.sourceRevision,
    revision: application.revision,
    ...(branding === null ? {} : { branding: brandingShape(branding) }),
    created: application.createdAt.toISOString(),
    modified: application.modifiedAt.toISOString(),
    type: 'application',
    api: 'meta',
    href: `${publicUrl}/v1/meta/applications/${application.applicationId}`,
  };
}

export function brandingShape(branding: Branding): z.input<typeof brandingAnswer> {
  return {
    display_name: branding.displayName,
    logo_url: branding.logoUrl,
    primary_colour: branding.primaryColour,
    background_colour: branding.backgroundColour,
    support_url: branding.supportUrl,
    privacy_url: branding.privacyUrl,
    locale: branding.locale,
    redirect_domain: branding.redirectDomain,
  };
}

export function eventSettingsShape(settings: EventSettings): z.input<typeof eventSettingsAnswer> {
  return {
    enabled: settings.enabled,
    retention_hours: settings.retentionHours,
    types: settings.types === null ? null : [...settings.types],
  };
}

type ApplicationBody = { [Field in keyof typeof applicationFields]?: z.output<(typeof applicationFields)[Field]> };

export function applicationChanges(body: ApplicationBody): ApplicationChanges {
  return {
    name: body.name,
    description: body.description,
    logoUrl: body.logo_url,
    environment: body.environment,
    active: body.active,
    implicitGrantEnabled: body.implicit_grant_enabled,
    pkceRequired: body.pkce_required,
    recentEnabled: body.recent_enabled,
    eventsEnabled: body.events_enabled ?? body.event_settings?.enabled,
    endCustomer: body.end_customer,
    enabledServices: body.enabled_services,
  };
}

export function brandingChanges(body: z.output<typeof brandingBody>): BrandingChanges {
  return {
    displayName: body.display_name,
    logoUrl: body.logo_url,
    primaryColour: body.primary_colour,
    backgroundColour: body.background_colour,
    supportUrl: body.support_url,
    privacyUrl: body.privacy_url,
    locale: body.locale,
  };
}

export function eventSettingsChanges(body: z.output<typeof eventSettingsBody>): EventSettingsChanges {
  return { enabled: body.enabled, retentionHours: body.retention_hours, types: body.types };
}
