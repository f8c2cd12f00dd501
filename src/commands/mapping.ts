import { resolve } from 'node:path'
import { mappingsFolder } from '#config'
import { checkMappings } from '#ingest'
import { output } from './output.ts'

/** So many findings of one table are shown; what is wrong in many rows is often one thing. */
const shownOfOne = 50

/**
 * Checks the mapping tables, with those of a folder in their places: the one that is named, else that of KINHOLD_MAPPINGS. What is wrong goes to standard output, one a line:
 * `apple-health/units.json:12 /rows/3/ucum This is no unit.`
 */
export async function checkMapping(typed: string | undefined): Promise<void> {
  const folder = typed === undefined ? mappingsFolder(process.env, process.cwd()) : resolve(typed)
  const { findings, tables, rows, own } = checkMappings(folder)
  for (const [, inOne] of Map.groupBy(findings, ({ file }) => file)) {
    for (const { file, line, column, pointer, text } of inOne.slice(0, shownOfOne)) {
      const place = `${file}:${line}${column === undefined ? '' : `:${column}`}`
      output.result(
        [place, pointer, text]
          .filter(part => part !== '')
          .map(onOneLine)
          .join(' '),
      )
    }
    if (inOne.length > shownOfOne) output.result(`${inOne[0]?.file}: and ${inOne.length - shownOfOne} more`)
  }
  const from = folder === undefined ? '' : `, ${own} of them from the folder`
  output.say(
    `${tables} tables${from}, ${rows} rows: ${findings.length === 0 ? 'nothing is wrong' : `${findings.length} wrong`}.`,
  )
  if (findings.length > 0) process.exitCode = 1
}

/** What a file says may hold anything, and a terminal obeys some of it. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}
