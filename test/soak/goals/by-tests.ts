/** Goals that are tried whole by tests: those are run, as often as the goal asks for. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Goal, goal } from '../goal.ts'

const root = new URL('../../../', import.meta.url).pathname

interface Tested {
  readonly name: string
  readonly says: string
  readonly files: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

interface Found {
  readonly status: number
  readonly seconds: number
}

async function runTests({ files, env }: Tested): Promise<Found> {
  const startedMs = performance.now()
  const paths = files.map(file => `test/${file}.test.ts`)
  const child = spawn(process.execPath, ['test/check.ts', ...paths], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status] = await once(child, 'exit')
  return { status: Number(status ?? 1), seconds: (performance.now() - startedMs) / 1000 }
}

const byTests = (tested: Tested): Goal =>
  goal<Found>({
    name: tested.name,
    says: tested.says,
    dataset: tested.files.map(file => `\`${file}\``).join(', '),
    try: () => runTests(tested),
    judge: ({ status, seconds }) => [
      { what: 'tests', figure: `${status === 0 ? 'pass' : 'fail'}, ${Math.round(seconds)} s`, met: status === 0 },
    ],
  })

export const testedGoals: readonly Goal[] = [
  { name: 'R2', says: 'a power cut loses nothing that was acknowledged', files: ['journeys/power-cut'] },
  {
    name: 'R4',
    says: 'a disk that is full, read-only or fails: no false answer, recovery without a restart',
    files: ['journeys/failing-disk', 'journeys/full-disk', 'rooms/store/sqlite-failed-flush'],
  },
  {
    name: 'R5',
    says: 'racing equal creates make one, racing updates have one winner, on SQLite and on a stand-in for MongoDB',
    files: ['journeys/workers', 'rooms/record/conditions', 'rooms/record/races', 'journeys/mongodb'],
  },
  {
    name: 'R9',
    says: 'an import stopped anywhere and begun again ends with the same, and a second one adds nothing',
    files: ['journeys/import-stopped', 'journeys/async-import', 'journeys/bulk-import'],
  },
  { name: 'R10', says: 'large and hostile bodies leave memory and others alone', files: ['journeys/hostile-requests'] },
  { name: 'R14', says: 'new keys while it is read, and after a kill', files: ['journeys/rotate'] },
  { name: 'R15', says: 'erasure leaves nothing', files: ['journeys/erase', 'journeys/canaries'] },
  {
    name: 'R16',
    says: 'houses of earlier versions open, with 20 kills of the first start; an earlier one refuses them',
    files: ['journeys/older-store', 'rooms/store/sqlite-file'],
    env: { UPGRADE_KILLS: '20' },
  },
  { name: 'R17', says: 'clocks that jump', files: ['rooms/record/clock-jumps'] },
  { name: 'R21', says: 'from SQLite to MongoDB and back: equal digests', files: ['journeys/migrate-cut'] },
].map(byTests)
