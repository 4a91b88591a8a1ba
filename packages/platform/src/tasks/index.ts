export { enqueueTask, type EnqueueOptions } from './enqueue-task.ts';
export { type AnyTask, defineTask, type TaskDelay, type TaskKind, type TaskRun } from './task.ts';
export { taskWorker, type TaskWorker, type TaskWorkerOptions } from './task-worker.ts';
