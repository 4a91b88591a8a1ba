import { type Random, systemRandom } from '@bulkhead/base';

const SMALLEST = 1_000_000_000;

/** An account id: random, a safe integer in every JSON parser, at least ten digits. Tells nothing of how many accounts there are. */
export function randomAccountId(random: Random = systemRandom): number {
  for (;;) {
    const bytes = Buffer.from(random(8));
    const id = Number(bytes.readBigUInt64BE() & 0x1f_ffff_ffff_ffffn);
    if (id >= SMALLEST) return id;
  }
}
