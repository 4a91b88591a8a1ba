import { openLauncher } from './jail.ts';
import { findWorkerd } from './programs.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';
import { workerdEngine } from './workerd-engine.ts';

/** A supervisor with workerd, in the jail where it can be built. Null where workerd has no program for this machine. */
export async function openSupervisor(
  options: Omit<SupervisorOptions, 'engine'>,
  jail: { jail?: boolean } = {},
): Promise<Supervisor | null> {
  const workerd = findWorkerd();
  if (workerd === null) return null;
  const launcher = await openLauncher(workerd, jail);
  return new Supervisor({ ...options, engine: workerdEngine(launcher) });
}
