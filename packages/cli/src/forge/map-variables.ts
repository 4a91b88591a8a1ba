import type { MapPart } from './mapped.ts';

/** Variables of `environment`, which code reads as `process.env` too. */
export const mapVariables: MapPart = ({ manifest, report, mapped }) => {
  const variables = (manifest.environment?.variables ?? []).map((each, place) => {
    const { key: name, default: fallback } = typeof each === 'string' ? { key: each, default: undefined } : each;
    report.understood(`variable ${name}`);
    return { at: ['environment', 'variables', place], entry: { name, ...(fallback === undefined ? {} : { default: fallback }) } };
  });
  mapped.lists.set('variables', variables);
};
