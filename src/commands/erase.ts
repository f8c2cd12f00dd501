import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Problem } from '#kernel'
import type { Erasure } from '#record'
import { checkErasable, erasePatient, formerOf, type Ground, hostGrant } from '../compose.ts'
import { confirm } from './ask.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { withGround, withHouse } from './with-house.ts'

interface EraseOptions {
  readonly patient?: string
  readonly yes?: boolean
  readonly list?: boolean
  readonly replay?: string
}

type Tombstones = Awaited<ReturnType<typeof buried>>

const lineOf = ({ owner, atMs }: Tombstones[number]): string => `${owner}\t${new Date(atMs).toISOString()}`

/** Whose keys were destroyed; what somebody else has put there counts for nothing. */
async function buried({ vault }: Pick<Ground, 'vault'>) {
  return (await vault.keys.tombstones()).filter(({ isOurs }) => isOurs)
}

/** Erases a patient, lists what was ever erased, or does it again in a house that was restored from older backups. */
export async function erase({ patient, yes, list, replay }: EraseOptions): Promise<void> {
  const asked = [patient, list, replay].filter(option => option !== undefined)
  if (asked.length !== 1)
    throw new Problem('invalid', 'command.erase-unclear', 'erase takes one of --patient, --list and --replay.')
  if (list === true) return listErased()
  if (replay !== undefined) return replayErased(replay, yes === true)
  return eraseOne(patient ?? '', yes === true)
}

async function eraseOne(patient: string, isSure: boolean): Promise<void> {
  await withHouse(house =>
    naming(patient, /^command\.patient-/, async () => {
      const before = await house.record.shredOn(patient)
      if (before !== undefined) return sayAgain(patient, before)
      await checkErasable(house.record, patient)
      for (const former of await formerOf(house, patient))
        output.say(`Patient/${former} was merged into it and is erased with it.`)
      if (!isSure) await confirm(`Nothing brings Patient/${patient} back. Type the id to erase it:`, patient)
      const others = new Set((await buried(house)).map(({ owner }) => owner))
      const erasure = await erasePatient(house, patient, hostGrant().actor)
      const erased = (await buried(house)).filter(({ owner }) => !others.has(owner))
      await checkGone(house, erased, erasure)
      output.say(`Erased, and ${leftTexts[erasure]} Backups of the data hold it without a key.`)
      output.say('Backups of the keystore that are older hold the key: end them. Keep this line for those that remain')
      output.say('(kinhold erase --replay):')
      for (const tombstone of erased) output.result(lineOf(tombstone))
    }),
  )
}

const leftTexts: Readonly<Record<Erasure, string>> = {
  whole: 'nothing of it is left in these folders.',
  owed: 'the key is destroyed. What it had sealed cannot be removed at the moment: whoever has the house open, or opens it next, does it.',
}

/** Somebody asks again: the first time the key, or what it had sealed, could not be removed. */
function sayAgain(patient: string, erasure: Erasure): void {
  output.say(`Patient/${patient} was erased before, and ${leftTexts[erasure]} Its line is among those of --list.`)
}

/**
 * @param erasure  whether what the keys had sealed is to be gone as well
 * @throws Problem `fault` · `command.erase-incomplete` when a key or something it sealed is still there
 */
export async function checkGone(
  { keys, store }: Pick<Ground, 'keys' | 'store'>,
  erased: readonly { readonly owner: string }[],
  erasure: Erasure = 'whole',
): Promise<void> {
  const heads = await store.allHeads()
  for (const { owner } of erased)
    if ((await keys.of(owner)).length > 0 || (erasure === 'whole' && heads.has(owner)))
      throw new Problem('fault', 'command.erase-incomplete', 'Something is left; the next start goes on with it.')
}

async function listErased(): Promise<void> {
  for (const tombstone of await withGround(buried)) output.result(lineOf(tombstone))
}

/** The lines that `--list` printed, from a house of which older backups were restored. */
async function replayErased(typed: string, isSure: boolean): Promise<void> {
  const path = resolve(places().cwd, typed)
  const listed = await naming(path, /^command\./, () => readLedger(path))
  const count = await withGround(async ({ vault }) => {
    const alive = new Set((await vault.compartments()).map(({ id }) => id))
    const back = listed.filter(owner => alive.has(owner))
    if (back.length > 0 && !isSure)
      await confirm(
        `${back.length} keys came back with the backup. Type ${back.length} to destroy them:`,
        `${back.length}`,
      )
    for (const owner of listed) await vault.destroy(owner)
    return back.length
  })
  // Whoever opens a house finishes what is left of those whose key is gone.
  await withGround(async () => undefined)
  output.say(`${count} keys destroyed again`)
}

/** @throws Problem `invalid` · `command.file-unreadable`, `command.ledger-unreadable` */
async function readLedger(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new Problem('invalid', 'command.file-unreadable', 'The file cannot be read.', { cause })
  })
  const owners = text.split('\n').flatMap(line => line.split('\t')[0]?.trim() || [])
  if (!owners.every(owner => /^[0-9a-f]{32}$/.test(owner)))
    throw new Problem('invalid', 'command.ledger-unreadable', 'This is no list that erase --list has printed.')
  return owners
}
