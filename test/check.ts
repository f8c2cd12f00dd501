/**
 * `npm test`: lint, types and every test, ending with jest's totals as `N passed, N failed`. With arguments – a path, a name –
 * it is jest alone, for work on one thing.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canStartMongo, hasMongo } from './contracts/mongo-server.ts'
import { totalsIn } from './count.ts'
import { hasSchemathesis } from './journeys/server/schemathesis.ts'
import { canMount } from './journeys/server/small-disk.ts'

const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--config', 'test/jest.config.json']

/** Runs Node on something, with this terminal; its exit status. */
function node(...args: readonly string[]): number {
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
}

function npmRun(script: string): number {
  const shell = process.platform === 'win32'
  return spawnSync('npm', ['run', '--silent', script], { stdio: 'inherit', shell }).status ?? 1
}

function everyTest(): number {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-check-'))
  const results = join(folder, 'results.json')
  try {
    const status = node(...jest, '--json', `--outputFile=${results}`)
    if (!canMount) process.stdout.write('No small disk could be mounted: full and read-only disks were not tried.\n')
    if (!hasMongo) process.stdout.write('NO MONGODB WAS TO BE HAD: nothing was tried on the MongoDB store.\n')
    else if (!canStartMongo)
      process.stdout.write('No MongoDB could be started and killed: its outages were not tried.\n')
    if (!hasSchemathesis)
      process.stdout.write('NO SCHEMATHESIS WAS TO BE HAD: no requests were made from the OpenAPI document.\n')
    process.stdout.write(`${totalsIn(results)}\n`)
    return status
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const asked = process.argv.slice(2)
const steps =
  asked.length > 0 ? [() => node(...jest, ...asked)] : [() => npmRun('lint'), () => npmRun('types'), everyTest]
for (const step of steps) {
  process.exitCode = await step()
  if (process.exitCode !== 0) break
}
