import { hostGrant } from '../compose.ts'
import { output } from './output.ts'
import { withGround } from './with-house.ts'

interface VerifyOptions {
  readonly acceptRestore?: boolean
}

/** Opens everything and names what is damaged, missing, swapped or rolled back; exit status 1 when anything is. */
export async function verify({ acceptRestore }: VerifyOptions): Promise<void> {
  if (acceptRestore === true) await accept()
  let findings = 0
  await withGround(async ground => {
    for await (const { kind, compartment, seq, text } of ground.record.verify()) {
      findings++
      output.result(`${kind}\t${compartment ?? '-'}\t${seq ?? '-'}\t${text}`)
    }
  })
  output.say(findings === 0 ? 'verified: everything opens, nothing is missing' : `${findings} faults`)
  if (findings > 0) process.exitCode = 1
}

/** A backup of the data was put back: what it shows is less than what is noted beside the keys, and is right all the same. */
async function accept(): Promise<void> {
  await withGround(
    async ({ record }) => {
      await record.acceptRestore()
      record.audit({ action: 'restore', outcome: 'success', actor: hostGrant().actor })
      await record.flush()
    },
    { alone: true },
  )
  output.say('The data are taken as they are. What was revoked, changed or used up after the backup was made is valid')
  output.say('again: end the access of apps and the links that you do not know, and have passwords set anew.')
}

/** Rebuilds the index from the ledger. */
export async function reindex(): Promise<void> {
  const entries = await withGround(ground => ground.record.reindex())
  output.result(`${entries} entries indexed`)
}
