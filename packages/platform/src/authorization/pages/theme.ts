/** Colours of a page, all `#rrggbb`, each pair checked for contrast (WCAG 2.2 §1.4.3: 4.5 to 1 for text). */
export interface Palette {
  readonly page: string;
  readonly pageText: string;
  readonly card: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly hover: string;
  /** Fill of the main button and of the mark. */
  readonly primary: string;
  readonly primaryText: string;
  /** The primary colour as it can be read on the card: links, focus ring. */
  readonly accent: string;
  readonly danger: string;
  readonly dangerSoft: string;
}

export interface Theme {
  readonly light: Palette;
  readonly dark: Palette;
}

const DEFAULT_PRIMARY = '#2451d1';
const TEXT_CONTRAST = 4.5;

type Rgb = readonly [number, number, number];

/** `#rgb` and `#rrggbb` only: anything else is no colour of ours and could be anything. */
export function parseColour(text: string | null): string | null {
  const match = /^#(?:([0-9a-f]{3})|([0-9a-f]{6}))$/i.exec(text?.trim() ?? '');
  if (match === null) return null;
  const digits = match[2] ?? [...match[1]!].map((digit) => digit + digit).join('');
  return `#${digits.toLowerCase()}`;
}

function rgb(colour: string): Rgb {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function hex([red, green, blue]: Rgb): string {
  return `#${[red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}

function luminance(colour: string): number {
  const [red, green, blue] = rgb(colour).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** WCAG 2.2 contrast ratio, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [brighter, darker] = [luminance(one), luminance(other)].toSorted((left, right) => right - left) as [number, number];
  return (brighter + 0.05) / (darker + 0.05);
}

/** `share` of `colour`, the rest of `other`. */
export function mix(colour: string, other: string, share: number): string {
  const [left, right] = [rgb(colour), rgb(other)];
  return hex([0, 1, 2].map((index) => left[index]! * share + right[index]! * (1 - share)) as unknown as Rgb);
}

/** Black or white, whichever reads better on `background`. */
export function readableOn(background: string): string {
  return contrast(background, '#ffffff') >= contrast(background, '#000000') ? '#ffffff' : '#000000';
}

/** `colour`, moved towards `end` just as far as it needs to be read on `background`. */
export function readableVersion(colour: string, background: string, end: string): string {
  for (let share = 1; share > 0; share -= 0.05) {
    const candidate = mix(colour, end, share);
    if (contrast(candidate, background) >= TEXT_CONTRAST) return candidate;
  }
  return end;
}

/** From at most two colours of the Application's branding. What is missing or no colour falls back to a quiet default. */
export function themeFrom(branding: { readonly primaryColour: string | null; readonly backgroundColour: string | null } | null): Theme {
  const primary = parseColour(branding?.primaryColour ?? null) ?? DEFAULT_PRIMARY;
  const background = parseColour(branding?.backgroundColour ?? null);
  const lightPage = background ?? '#f3f4f7';
  // A page colour chosen for light surroundings is kept in the dark as a tint only.
  const darkPage = background === null ? '#0e1014' : luminance(background) < 0.12 ? background : mix(background, '#0e1014', 0.03);
  const darkCard = '#181b21';
  const surface = { primary, primaryText: readableOn(primary) };
  return {
    light: {
      page: lightPage,
      pageText: readableVersion('#5b6270', lightPage, readableOn(lightPage)),
      card: '#ffffff',
      text: '#171a21',
      muted: '#5b6270',
      line: '#d9dce3',
      hover: mix(primary, '#ffffff', 0.06),
      accent: readableVersion(primary, '#ffffff', '#000000'),
      danger: '#b3261e',
      dangerSoft: '#fdf1f0',
      ...surface,
    },
    dark: {
      page: darkPage,
      pageText: readableVersion('#a2a9b6', darkPage, readableOn(darkPage)),
      card: darkCard,
      text: '#eef0f4',
      muted: '#a2a9b6',
      line: '#363b46',
      hover: mix(primary, darkCard, 0.16),
      accent: readableVersion(primary, darkCard, '#ffffff'),
      danger: '#ff9a91',
      dangerSoft: '#2c1c1d',
      ...surface,
    },
  };
}
