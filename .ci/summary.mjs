// Plain JavaScript without imports of ours: it must speak even where `npm ci` has failed.
import { readFileSync } from 'node:fs';

const [, , reportPath = '', exitCode = '0'] = process.argv;
const counts = { passed: 0, failed: 0, skipped: 0 };

try {
  const report = JSON.parse(readFileSync(reportPath, 'utf8'));
  counts.passed = report.numPassedTests;
  counts.failed = report.numFailedTests;
  counts.skipped = report.numPendingTests + (report.numTodoTests ?? 0);
  // A file that fails before its first test has no tests to count.
  counts.failed += report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
} catch {
  // No report: nothing ran, and the exit code below says so.
}

// A failed step outside the tests never hides behind "0 failed"; neither does a report that was never written.
if (counts.failed === 0 && (exitCode !== '0' || counts.passed === 0)) counts.failed = 1;
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
