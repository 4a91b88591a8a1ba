import type { Log } from '@bulkhead/base';
import { probeIsolation } from '@bulkhead/sandbox';

const HOW = '`bulkhead doctor` says what is missing';

/** Says in the log how functions are kept apart here, before any is called. Never rejects. */
export async function reportIsolation(log: Log, { acceptProcess }: { acceptProcess: boolean }): Promise<void> {
  try {
    const isolation = await probeIsolation();
    if (isolation === null) log.warn('Functions are refused: the engine has no program for this machine');
    else if (isolation.level === 'jail') log.info('Functions run in the jail', { level: isolation.level });
    else if (acceptProcess) log.info(`Functions run in plain processes, as was accepted; ${HOW}`, { ...isolation });
    else
      log.warn(`Functions are refused: there is no jail to keep them in, and BULKHEAD_SANDBOX accepts no less; ${HOW}`, { ...isolation });
  } catch (thrown) {
    log.warn('How functions are kept apart here could not be found out', { err: thrown });
  }
}
