import { parseResource, type Resource } from '#fhir'
import { isProblem, mapFew } from '#kernel'
import { type Gate, type Ground, hostGrant } from '../compose.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGate, withRecord } from './with-house.ts'

interface Facts {
  readonly given?: string
  readonly family?: string
  readonly birthdate?: string
  readonly gender?: string
}

interface HumanName {
  readonly use?: string
  readonly given?: readonly string[]
  readonly family?: string
}

/** Takes in a patient: a compartment with a key of its own. The new id stands alone on the last line. */
export async function createPatient(options: Facts & { readonly account?: string }): Promise<void> {
  const id = await withGate(async gate => {
    const resource = changed({ resourceType: 'Patient', active: true }, options)
    await check(resource)
    const account = options.account === undefined ? undefined : await accountOf(gate, options.account)
    const stored = await gate.record.writer(hostGrant()).transact(txn => txn.create(resource))
    if (account !== undefined) await attach(gate, stored.id, account)
    return stored.id
  })
  if (options.given === undefined && options.family === undefined) output.say(`warning: ${nameless}`)
  output.result(id)
}

const nameless =
  'the patient has no name, so no file or message can be compared with it; give one by `kinhold patient edit ID --given … --family …`'

/** Each opens a patient's record. */
const namedAtOnce = 16

/** The ids of all patients, one a line; with `names` also name and birth date, which is a read like any other and audited. */
export async function listPatients({ names }: { readonly names?: boolean }): Promise<void> {
  const lines = await withRecord(async ground => {
    const ids = await ground.record.allPatients()
    return names === true ? mapFew(ids, namedAtOnce, id => named(ground, id)) : ids
  })
  for (const line of lines) output.result(line)
}

/** Gives a patient to an account: its owner sees and keeps the record from then on. */
export async function attachPatient(options: { readonly patient: string; readonly account: string }): Promise<void> {
  await withGate(async gate => {
    await knownPatient(gate, options.patient)
    await attach(gate, options.patient, await accountOf(gate, options.account))
  })
  output.say('attached')
}

/** Changes name, birth date or sex as any update does: validated, a new version, audited. An empty value takes one away. */
export async function editPatient({ patient, ...facts }: Facts & { readonly patient: string }): Promise<void> {
  const version = await withRecord(({ record }) =>
    naming(patient, /^record\./, async () => {
      const writer = record.writer(hostGrant())
      return writer.transact(async txn => {
        const current = await writer.read('Patient', patient)
        const resource = changed(parseResource(current.json), facts)
        await check(resource)
        const { version } = await txn.update('Patient', patient, resource, { ifMatch: String(current.version) })
        return version
      })
    }),
  )
  output.say(`Patient/${patient} is now version ${version}`)
}

/** @throws Problem as checkResource */
async function check(resource: Resource): Promise<void> {
  const { checkResource, createValidator } = await import('#validation')
  const validator = createValidator()
  try {
    checkResource(validator, resource)
  } finally {
    await validator.close()
  }
}

function accountOf({ smart }: Gate, name: string): Promise<string> {
  return naming(name, /^smart\.account-absent$/, () => smart.accountId(name))
}

async function attach({ record }: Ground, patient: string, account: string): Promise<void> {
  await record.addPatientTo(account, patient)
  record.audit({ action: 'attach', outcome: 'success', patient, actor: hostGrant().actor })
}

async function knownPatient({ record }: Ground, patient: string): Promise<void> {
  await naming(patient, /^record\./, () => record.reader(hostGrant(['system/Patient.r'])).read('Patient', patient))
}

async function named({ record }: Ground, id: string): Promise<string> {
  try {
    const { json } = await record.reader(hostGrant(['system/Patient.r'])).read('Patient', id)
    const patient = parseResource(json)
    return [id, printName(patient.name), String(patient.birthDate ?? '')].join('\t').trimEnd()
  } catch (error) {
    if (isProblem(error, 'gone')) return `${id}\t(deleted)`
    throw error
  }
}

function namesOf(names: unknown): readonly HumanName[] {
  return Array.isArray(names) ? (names as readonly HumanName[]) : []
}

/** Where a name stands that is meant when there are several: the official one, else the first. */
function placeOfName(names: readonly HumanName[]): number {
  return Math.max(
    names.findIndex(({ use }) => use === 'official'),
    0,
  )
}

function printName(names: unknown): string {
  const all = namesOf(names)
  const { given = [], family = '' } = all[placeOfName(all)] ?? {}
  return [...given, family].join(' ').trim()
}

function changed(patient: Resource, { given, family, birthdate, gender }: Facts): Resource {
  const parts = { ...valueOr('given', given, text => text.split(/\s+/)), ...valueOr('family', family) }
  const name = Object.keys(parts).length === 0 ? {} : { name: renamed(namesOf(patient.name), parts) }
  return without({ ...patient, ...name, ...valueOr('gender', gender), ...valueOr('birthDate', birthdate) })
}

/** `text` goes, because it would go on saying the old name. */
function renamed(names: readonly HumanName[], parts: object): object[] {
  const at = placeOfName(names)
  const { text: _, ...kept } = (names[at] ?? {}) as HumanName & { readonly text?: string }
  const name = without({ ...kept, ...parts })
  const others = names.toSpliced(at, 1)
  return Object.keys(name).length === 0 ? others : others.toSpliced(at, 0, name)
}

function valueOr(name: string, text: string | undefined, read: (text: string) => unknown = same): object {
  return text === undefined ? {} : { [name]: text.trim() === '' ? undefined : read(text.trim()) }
}

const same = (text: string): string => text

/** What was taken away leaves no empty place: https://hl7.org/fhir/R4/json.html#primitive */
function without<T extends object>(element: T): T {
  const kept = Object.entries(element).filter(([, value]) => value !== undefined && !isEmptyList(value))
  return Object.fromEntries(kept) as T
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0
