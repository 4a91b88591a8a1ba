/** Takes a stream of bytes apart into lines, of which each is cut at a length. */
export function lineReader(bytesMax: number, onLine: (line: string) => void): (chunk: Buffer) => void {
  let kept: Buffer[] = [];
  let size = 0;
  const keep = (part: Buffer): void => {
    if (size < bytesMax) kept.push(part.subarray(0, bytesMax - size));
    size += part.length;
  };
  return (chunk) => {
    let rest = chunk;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      keep(rest.subarray(0, end));
      const line = Buffer.concat(kept).toString('utf8');
      kept = [];
      size = 0;
      rest = rest.subarray(end + 1);
      onLine(line);
    }
    if (rest.length > 0) keep(rest);
  };
}
