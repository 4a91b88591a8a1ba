export {
  DEFAULT_LIMITS,
  type Denial,
  type DoorRequest,
  type DoorResponse,
  type Doors,
  HEAP_MB_MIN,
  type InstanceIdentity,
  type InvocationRequest,
  type InvocationResult,
  type Limits,
  limitsOfMemory,
  type LogLine,
  type Outcome,
  type Variables,
} from './contract.ts';
export { type CallAnswer, type Engine, type EngineExit, type InstanceSpec, type Running, StartFailure } from './engine.ts';
export { examineSandbox, type Finding, probeIsolation } from './examine.ts';
export type { Isolation, IsolationLevel } from './isolation.ts';
export { findWorkerd } from './programs.ts';
export { openSupervisor } from './open-supervisor.ts';
export { Supervisor, type SupervisorOptions } from './supervisor.ts';
