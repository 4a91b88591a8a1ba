// Plain JavaScript without imports of ours: it must speak even where `npm ci` has failed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , folder = '', exitCode = '0'] = process.argv;
const counts = { passed: 0, failed: 0, skipped: 0 };

/** The reports of all suites that ran; none where nothing did, and the exit code says so. */
function reports() {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

for (const name of reports()) {
  try {
    const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    counts.passed += report.numPassedTests;
    counts.failed += report.numFailedTests;
    counts.skipped += report.numPendingTests + (report.numTodoTests ?? 0);
    // A file that fails before its first test has no tests to count.
    counts.failed += report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  } catch {
    // A report that was cut off in the middle of writing.
    counts.failed += 1;
  }
}

// A failed step outside the tests never hides behind "0 failed"; neither does a report that was never written.
if (counts.failed === 0 && (exitCode !== '0' || counts.passed === 0)) counts.failed = 1;
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
