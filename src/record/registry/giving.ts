import type { DocumentDraft, Documents } from '#vault'
import { ownerUnknown } from '../transaction/owners.ts'
import { untilWon } from '../transaction/race.ts'
import type { Giving } from '../types.ts'
import type { Household } from './household.ts'
import type { Registry } from './registry.ts'

/** What giving somebody needs. */
interface GivingRooms {
  readonly household: Household
  readonly registry: Registry
  readonly documents: Documents
}

/** A patient, and whom the giver keeps of those who were merged into them: they are one person. */
async function withFormer({ patient, from }: Giving, { household, registry }: GivingRooms): Promise<readonly string[]> {
  const kept = await household.patientsOf(from)
  const into = new Map<string, string>()
  for (const one of kept) {
    const merged = (await registry.ofPatient(one)) && (await registry.mergedInto(one))
    if (merged !== undefined) into.set(one, merged)
  }
  const all = [patient]
  for (const each of all)
    all.push(...[...into].flatMap(([one, other]) => (other === each && !all.includes(one) ? one : [])))
  return all
}

/** As `Record.givePatient`. */
export async function givePatient(
  rooms: GivingRooms,
  giving: Giving,
  more: (patients: readonly string[]) => Promise<readonly DocumentDraft[]>,
): Promise<readonly string[] | undefined> {
  const { household, registry, documents } = rooms
  let given: readonly string[] | undefined
  await untilWon(async () => {
    // Who was erased or merged elsewhere is so here.
    await registry.catchUp()
    if ((await registry.ofPatient(giving.patient)) === undefined) throw ownerUnknown()
    given = undefined
    if ((await registry.mergedInto(giving.patient)) !== undefined) return true
    const patients = await withFormer(giving, rooms)
    const writes = await household.giving(giving, patients)
    if (writes === undefined) return true
    given = patients
    const alive: DocumentDraft[] = []
    for (const one of patients) {
      const pair = await registry.ofPatient(one)
      const check = pair && registry.stillRegistered(pair.data)
      if (check !== undefined) alive.push(check)
    }
    return documents.commit([...writes, ...alive, ...(await more(patients))])
  })
  return given
}
