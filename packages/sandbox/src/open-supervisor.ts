import { type InspectorOptions, InspectorPorts } from './inspector-ports.ts';
import { openLauncher } from './jail.ts';
import { findWorkerd } from './programs.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';
import { workerdEngine } from './workerd-engine.ts';

/** A supervisor with workerd, in the jail where it can be built, and where no debugger has to reach it. Null where workerd has no program for this machine. */
export async function openSupervisor(
  options: Omit<SupervisorOptions, 'engine'>,
  { jail = true, inspector = null }: { jail?: boolean; inspector?: InspectorOptions | null } = {},
): Promise<Supervisor | null> {
  const workerd = findWorkerd();
  if (workerd === null) return null;
  const launcher = await openLauncher(workerd, { jail: jail && inspector === null });
  return new Supervisor({ ...options, engine: workerdEngine(launcher, inspector === null ? null : new InspectorPorts(inspector)) });
}
