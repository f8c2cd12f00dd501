/** Prints jest's totals as the one line `N passed, N failed`, from the file that `jest --json --outputFile` wrote. */
import { readFileSync } from 'node:fs'

const path = process.argv[2] ?? ''
const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(path, 'utf8'))
console.log(`${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed`)
