import { describe, expect, test } from 'vitest';
import { readPayload } from './read-payload.ts';

const FORM = 'application/x-www-form-urlencoded';
const read = (text: string | Buffer, type: string | null = 'application/json', secretMembers: readonly string[] = []): unknown =>
  readPayload(Buffer.from(text as string), type, secretMembers);

describe('the content of a message', () => {
  test.each([
    ['JSON', '{"a":[1,"b",null]}', 'application/json', { a: [1, 'b', null] }],
    ['JSON under no name', '[1]', null, [1]],
    ['JSON under another name', '{"a":1}', 'text/plain', { a: 1 }],
    ['a form', 'a=1&b=%C3%A9+x', FORM, { a: '1', b: 'é x' }],
    ['a form with a charset', 'a=1', `${FORM}; charset=utf-8`, { a: '1' }],
    ['a form whose one field is JSON', `payload=${encodeURIComponent('{"type":"block_actions"}')}`, FORM, { type: 'block_actions' }],
    ['a number beyond 2^53, which stays what it was', '{"id":9007199254740993}', 'application/json', { id: '9007199254740993' }],
  ])('is read from %s', (_what, text, type, expected) => {
    expect(read(text, type)).toEqual(expected);
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['half of JSON', '{"a":'],
    ['what is no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['what is nested deeper than 100', '['.repeat(101) + ']'.repeat(101)],
    ['what is nested by the million', '['.repeat(1_000_000)],
    ['a form whose one field is no JSON', 'payload=x'],
  ])('is null of %s', (_what, text) => {
    expect(read(text, typeof text === 'string' && text.startsWith('payload') ? FORM : 'application/json')).toBeNull();
  });

  test('control: what is nested 100 deep is read, and brackets in a text are no nesting', () => {
    expect(read('['.repeat(100) + ']'.repeat(100))).not.toBeNull();
    expect(read(JSON.stringify({ a: '['.repeat(200), b: '"]\\' }))).toEqual({ a: '['.repeat(200), b: '"]\\' });
  });

  test('reaches no prototype', () => {
    const value = read('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"a":{"__proto__":1,"b":2}}') as object;
    expect(JSON.stringify(value)).toBe('{"a":{"b":2}}');
    expect('admin' in value || 'admin' in {}).toBe(false);
    expect(JSON.stringify(read('__proto__=1&a=2', FORM))).toBe('{"a":"2"}');
  });

  test('is without the members that open something, however deep they stand; without a list it has them', () => {
    const text = '{"token":"t","a":[{"response_url":"r","kept":1}]}';
    expect(read(text, 'application/json', ['token', 'response_url'])).toEqual({ a: [{ kept: 1 }] });
    expect(read(text)).toEqual(JSON.parse(text));
    expect(read('token=t&text=hello', FORM, ['token'])).toEqual({ text: 'hello' });
    expect(read(`payload=${encodeURIComponent(text)}`, FORM, ['token', 'response_url'])).toEqual({ a: [{ kept: 1 }] });
  });
});
