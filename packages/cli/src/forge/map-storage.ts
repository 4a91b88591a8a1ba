import type { MapPart } from './mapped.ts';

/** Entities of `app.storage`, as they are declared. */
export const mapStorage: MapPart = ({ manifest, report, mapped }) => {
  const entities = (manifest.app.storage?.entities ?? []).map(({ name, attributes, indexes = [] }, place) => {
    report.understood(`entity ${name}`);
    return { at: ['app', 'storage', 'entities', place], entry: { name, attributes, indexes } };
  });
  mapped.lists.set('storage', entities);
};
