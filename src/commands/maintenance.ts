import { output } from './output.ts'
import { withHouse } from './with-house.ts'

/** Opens everything and names what is damaged, missing, swapped or rolled back; exit status 1 when anything is. */
export async function verify(): Promise<void> {
  let findings = 0
  await withHouse(async house => {
    for await (const { kind, compartment, seq, text } of house.record.verify()) {
      findings++
      output.result(`${kind}\t${compartment ?? '-'}\t${seq ?? '-'}\t${text}`)
    }
  })
  output.say(findings === 0 ? 'verified: everything opens, nothing is missing' : `${findings} faults`)
  if (findings > 0) process.exitCode = 1
}

/** Rebuilds the index from the ledger. */
export async function reindex(): Promise<void> {
  const entries = await withHouse(house => house.record.reindex())
  output.result(`${entries} entries indexed`)
}
