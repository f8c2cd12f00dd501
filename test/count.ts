/** Jest's totals as the one line `N passed, N failed`, from the file that `jest --json --outputFile` wrote. */
import { readFileSync } from 'node:fs'

export function totalsIn(path: string): string {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(path, 'utf8'))
  return `${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed`
}

if (import.meta.main) console.log(totalsIn(process.argv[2] ?? ''))
