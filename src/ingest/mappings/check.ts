import { checkBindings } from './bindings.ts'
import { checkCodes } from './codes.ts'
import { checkLinks } from './links.ts'
import { checkPaths } from './paths.ts'
import type { Finding, Table } from './read-table.ts'
import { misfitsOf } from './schemas.ts'
import type { Tables, Tell } from './tables.ts'
import { checkTwins } from './twins.ts'

const rules: readonly ((tables: Tables, tell: Tell) => void)[] = [
  checkCodes,
  checkLinks,
  checkTwins,
  checkPaths,
  checkBindings,
]

/**
 * What is wrong with tables that can be read: with each by its schema, and with those that fit by all that no schema can say.
 * One finding for one fault, in the order of the tables.
 *
 * @param tables  all tables; what one refers to in a table that is not among them, or does not fit, is not looked for
 */
export function checkTables(tables: ReadonlyMap<string, Table>): readonly Finding[] {
  const findings = new Map<string, Finding>()
  const tell: Tell = ({ file, pointer }, text, missingIn) => {
    const line = tables.get(file)?.lineOf(pointer) ?? 1
    findings.set(`${file} ${pointer} ${text}`, {
      file,
      pointer,
      line,
      text,
      ...(missingIn === undefined ? {} : { missingIn }),
    })
  }
  const fitting = new Map<string, unknown>()
  for (const [file, { value }] of tables) {
    const misfits = misfitsOf(file, value)
    for (const { pointer, text } of misfits) tell({ file, pointer }, text)
    if (misfits.length === 0) fitting.set(file, value)
  }
  for (const rule of rules) rule(fitting, tell)
  return [...findings.values()].sort((a, b) => Number(a.file > b.file) - Number(a.file < b.file) || a.line - b.line)
}
