/** A percent-encoded letter, digit, `-`, `.`, `_` or `~` (RFC 3986 §2.3), which is the same as the character itself. */
const NEEDLESS = /%(?:2[deDE]|3\d|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aA]|7[eE])/;

/**
 * Whether the path of a request target has its one form: no empty, `.` or `..` segment in any spelling, no backslash, no needless escape, and
 * of escapes only such as are UTF-8. One slash at the end may be. What decides by path then sees the path that is meant.
 */
export function isNormalPath(path: string): boolean {
  if (!path.startsWith('/') || path.includes('//') || /\\|%5c|%00/i.test(path) || NEEDLESS.test(path)) return false;
  if (!/^[!-~]*$/.test(path) || path.split('/').some((segment) => segment === '.' || segment === '..')) return false;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
