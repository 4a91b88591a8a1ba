import { de } from './texts-de.ts';
import { en, type Texts } from './texts-en.ts';
import { es } from './texts-es.ts';
import { fr } from './texts-fr.ts';

/** Texts with their places filled in. */
export type Say = (key: keyof Texts, values?: Readonly<Record<string, string>>) => string;

export interface Language {
  /** For `<html lang>`. */
  readonly tag: string;
  readonly say: Say;
}

const catalogue: Readonly<Record<string, Texts>> = { en, de, fr, es };

export const languages: readonly string[] = Object.keys(catalogue);

function speak(tag: string): Language {
  const texts = catalogue[tag] ?? en;
  return {
    tag,
    say: (key, values = {}) => texts[key].replaceAll(/\{(\w+)\}/g, (place, name: string) => values[name] ?? place),
  };
}

function primary(tag: string): string {
  return tag.trim().split(/[-_]/, 1)[0]!.toLowerCase();
}

/**
 * The language of a page: the Application's own where it has chosen one, else the browser's first that we have (RFC 9110 §12.5.4),
 * else English.
 */
export function languageFor(locale: string | null, acceptLanguage: string | undefined): Language {
  const own = locale === null ? '' : primary(locale);
  if (Object.hasOwn(catalogue, own)) return speak(own);
  const wanted = (acceptLanguage ?? '')
    .slice(0, 512)
    .split(',')
    .map((part, position) => {
      const [tag = '', ...parameters] = part.split(';');
      const quality = parameters.map((text) => /^\s*q=([01](?:\.\d{0,3})?)\s*$/.exec(text)?.[1]).find((text) => text !== undefined);
      return { tag: primary(tag), quality: Number(quality ?? 1), position };
    })
    .filter(({ tag, quality }) => quality > 0 && Object.hasOwn(catalogue, tag))
    .toSorted((left, right) => right.quality - left.quality || left.position - right.position);
  return speak(wanted[0]?.tag ?? 'en');
}
