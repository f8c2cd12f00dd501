/**
 * `npm run soak`: every goal of reliability that can be tried here, against real processes; `npm run soak -- R3 R8` some of them.
 * Prints Markdown and keeps it in FIGURES.md, goal by goal; ends with 1 when one is missed.
 */
import { parseArgs } from 'node:util'
import { machine } from '../bench/figures.ts'
import { keepFigures } from './figures.ts'
import type { Goal } from './goal.ts'
import { testedGoals } from './goals/by-tests.ts'
import { changedByte } from './goals/changed-byte.ts'
import { largeImport } from './goals/large-import.ts'
import { steadyLife } from './goals/steady-life.ts'
import { wholeOrAbsent } from './goals/whole-or-absent.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '50' },
    share: { type: 'string', default: '1' },
  },
})
const extent = { minutes: Number(values.minutes), perSecond: Number(values.rate), share: Number(values.share) }

const goals: readonly Goal[] = [steadyLife, changedByte, wholeOrAbsent, largeImport, ...testedGoals]

const isAsked = ({ name }: Goal) =>
  positionals.length === 0 || name.split(', ').some(each => positionals.includes(each))
const marks = { true: 'met', false: '**missed**', undefined: '' } as const

for (const goal of goals.filter(isAsked)) {
  const judged = await goal.run(extent)
  const rows = judged.map(({ what, figure, met }) => `| ${goal.name} ${what} | ${figure} | ${marks[`${met}`]} |`)
  const part = values.share === '1' ? '' : ` ${values.share} of what the goal asks for.`
  const about = `${goal.says}. ${goal.dataset}.${part} ${new Date().toISOString().slice(0, 10)}, ${machine()}.`
  process.stdout.write(`${[about, ...rows].join('\n')}\n\n`)
  await keepFigures(goal.name, [about, '', '| what | figure | |', '|---|---|---|', ...rows])
  if (judged.some(({ met }) => met === false)) process.exitCode = 1
}
