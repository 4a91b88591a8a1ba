export { enqueueTask, enqueueTasks } from './enqueue-task.ts';
export { type AnyTask, defineTask, type TaskKind } from './task.ts';
export { taskWorker } from './task-worker.ts';
export { hasTasksBeside } from './task-store.ts';
