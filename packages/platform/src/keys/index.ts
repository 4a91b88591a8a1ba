export { type KeyStatus, keyStatus } from './key-status.ts';
export { type DataRotationResult, rotateDataKeys } from './rotate-data-keys.ts';
export { type ReportProgress, type RootRotationResult, rotateRootKey } from './rotate-root-key.ts';
export { SEALED_COLUMNS } from './sealed-columns.ts';
