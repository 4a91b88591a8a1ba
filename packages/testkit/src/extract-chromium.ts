// Run as a process of its own: the package unpacks into TMPDIR and rewrites the environment as it loads,
// and neither must happen to the tests.
import chromium from '@sparticuz/chromium';

await chromium.executablePath();
