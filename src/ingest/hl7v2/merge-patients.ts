import type { Grant } from '#access'
import { parseResource, parseStored, type Resource } from '#fhir'
import { isProblem, Problem } from '#kernel'
import type { Txn } from '#record'
import { claimsInSlices, type PersonClaims } from '../identity/claims.ts'
import { inWords } from '../identity/guard.ts'
import { identify } from '../identity/identify.ts'
import { compare, type IdentityElement, type Verdict } from '../identity/judge.ts'
import { checkBoth, listOf, type MergeDeps } from '../identity/merging/both.ts'
import { partedAtMs } from '../identity/merging/lineage.ts'
import { mergePatients } from '../identity/merging/merge.ts'
import type { Doubt, Held } from '../identity/review/held.ts'
import { identifierKey } from '../patient-merge.ts'
import type { Remark } from './acknowledge.ts'
import type { Read } from './map-message.ts'
import { type Field, field, type Segment, value } from './message.ts'
import { personOf, placesOf } from './person.ts'
import { patientElements } from './resources/patient.ts'
import { saidAtMs } from './said-at.ts'
import { type Group, segmentOf } from './structure.ts'

type Said = Pick<Read, 'message' | 'row' | 'sending' | 'patients'>

/** What a group of a merge message asks for. */
interface Plan {
  readonly group: Group
  /** Who has the numbers of PID, and who those of MRG. */
  readonly target: string | undefined
  readonly source: string | undefined
  readonly prior: readonly Identifier[]
  /** A person has said whom it merges. */
  readonly decided: boolean
}

/** What became of the merges that a message asks for. */
export interface MergedByMessage {
  /** Who remains, by group; nothing of a message that comes again. */
  readonly remaining: readonly string[]
  readonly remarks: readonly Remark[]
}

interface Identifier {
  readonly system?: string
  readonly value?: string
  readonly [element: string]: unknown
}

const collection = 'ingest-merge-messages'
/** As long as a message that was taken in is remembered. */
const rememberedMs = 31 * 24 * 3600 * 1000

/**
 * What a message says of people who are one (A18, A30, A34, A36, A39, A40) or who got another number (A46, A47): each group's MRG
 * names the numbers that are given up, its PID those that stay. All groups are looked at before the first is merged. A message
 * that comes again, or was said before it was decided that two people are two, merges nothing that was undone meanwhile.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-segment-missing`, `ingest.hl7-patient-unknown`, `ingest.patient-contradicted`,
 *   `ingest.patient-doubtful` (its cause is a `Doubt`); `forbidden` · `scope.missing`
 * @see HL7 v2.9 chapter 3.3.40 and 3.6.2
 */
export async function mergeByMessage(
  read: Said,
  { grant, digest, choices }: Deciding & { readonly digest: string },
  deps: MergeDeps,
): Promise<MergedByMessage> {
  const { documents } = deps.record
  const name = [3, 4, 10].map(number => value(read.message.msh, number)).join('/')
  if ((await documents.get<{ digest: string }>(collection, name))?.value.digest === digest)
    return { remaining: [], remarks: [] }
  const plans: Plan[] = []
  for (const group of read.patients) plans.push(await planOf(read, group, { grant, choices }, deps))
  const remaining: string[] = []
  const remarks: Remark[] = []
  for (const plan of plans) {
    const isParted = await wasParted(plan, read, deps)
    if (isParted) remarks.push(parted(plan.group))
    remaining.push(isParted ? (plan.target ?? '') : await carryOutNow(plan, read, { grant, choices }, deps))
  }
  await documents.put(collection, name, { digest }, { expiresAtMs: deps.clock.nowMs() + rememberedMs })
  return { remaining, remarks }
}

/** Whether it was decided since the message was said that its two people are two. */
async function wasParted(
  { target, source, decided }: Plan,
  { message, sending }: Said,
  deps: MergeDeps,
): Promise<boolean> {
  if (decided || target === undefined || source === undefined || target === source) return false
  const [atMs, saidMs] = [await partedAtMs(deps.record.documents, source, target), saidAtMs(message, sending.zone)]
  return atMs !== undefined && saidMs !== undefined && saidMs < atMs
}

function parted(group: Group): Remark {
  const nth = segmentOf(group, 'MRG')?.nth ?? 1
  const text = 'It was decided since that these are two people; they were not merged again.'
  return { severity: 'W', location: `MRG^${nth}^1`, condition: '205', text }
}

/** Who asks for a merge, and what a person has said: of the people of PID by number of the group, then of those of MRG. */
interface Deciding {
  readonly grant: Grant
  readonly choices: Held['choices']
}

async function planOf(read: Said, group: Group, { grant, choices }: Deciding, deps: MergeDeps): Promise<Plan> {
  const nth = read.patients.indexOf(group)
  const nthBefore = read.patients.length + nth
  const former = formerly(group)
  const [now, before] = [personOf(read, group), personOf(read, former)]
  const [target, source] = await deps.record.writer(grant).transact(async txn => {
    const asking = { grant, baseUrl: deps.baseUrl }
    const source = await identify(txn, before, asking)
    // Who is called so may be the very one whom the message makes the same person.
    const same = source.kind === 'certain' ? [source.patient] : []
    return [await identify(txn, now, asking, same), source] as const
  })
  const plan = {
    group,
    target: surely(target, choices[nth], elements => ({
      places: placesOf(elements, group),
      doubt: { nth, incoming: patientOf(read, group) },
    })),
    source: surely(source, choices[nthBefore], elements => ({
      places: elements.map(element => `MRG-${element === 'name' ? 7 : 1}`),
      doubt: { nth: nthBefore, incoming: patientOf(read, former) },
    })),
    prior: numbersOf(read, former),
    decided: choices[nth] !== undefined || choices[nthBefore] !== undefined,
  }
  if (plan.target === undefined && plan.source === undefined)
    throw new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: [...placesOf(['identifier'], group), 'MRG-1'],
    })
  await checkOnePerson(plan, now, grant, deps)
  return plan
}

/** MRG says of who is given up what PID says of who stays. */
function formerly(group: Group): Group {
  const mrg = segmentOf(group, 'MRG')
  if (mrg === undefined)
    throw new Problem('unprocessable', 'ingest.hl7-segment-missing', 'The message does not say whom it merges.', {
      expression: 'MRG',
    })
  const fields: Field[] = []
  fields[3] = [...field(mrg, 1), ...field(mrg, 4)]
  fields[5] = field(mrg, 7)
  const pid: Segment = { ...mrg, name: 'PID', fields: Array.from(fields, one => one ?? []) }
  return { name: group.name, segments: [pid], groups: [] }
}

function patientOf({ message, sending }: Said, group: Group): Doubt['incoming'] {
  return patientElements(group, { message, zone: sending.zone }).elements
}

function numbersOf(read: Said, group: Group): readonly Identifier[] {
  const elements = patientOf(read, group)
  return (Array.isArray(elements.identifier) ? elements.identifier : []) as readonly Identifier[]
}

interface Unsure {
  readonly places: readonly string[]
  readonly doubt: Pick<Doubt, 'nth' | 'incoming'>
}

/** Nobody is merged on a doubt: a person decides it. `new` is nobody who is here. */
function surely(verdict: Verdict, choice: string | undefined, unsure: (of: readonly IdentityElement[]) => Unsure) {
  if (choice !== undefined) return choice === 'new' ? undefined : choice
  if (verdict.kind === 'certain') return verdict.patient
  if (verdict.kind === 'unknown') return undefined
  const { elements } = verdict
  const { places, doubt } = unsure(elements)
  if (verdict.kind === 'contradiction') throw differing(true, elements, places)
  const text = `It is doubtful whom the message merges, by ${inWords(elements)}.`
  const word = verdict.onTheirWord === undefined ? {} : { onTheirWord: verdict.onTheirWord }
  const cause: Doubt = { patients: verdict.patients, elements, ...doubt, ...word }
  throw new Problem('unprocessable', 'ingest.patient-doubtful', text, { expression: places, cause })
}

function differing(isOther: boolean, elements: readonly IdentityElement[], expression: readonly string[]): Problem {
  const code = isOther ? 'ingest.patient-contradicted' : 'ingest.patient-doubtful'
  const text = `The message would make two people one who differ: ${inWords(elements)}.`
  return new Problem('unprocessable', code, text, { expression })
}

/** Two numbers of one hospital are what merges are about; another birth date or sex is not, and twins are not. */
async function checkOnePerson(
  { target, source }: Plan,
  now: PersonClaims,
  grant: Grant,
  deps: MergeDeps,
): Promise<void> {
  if (source === undefined || source === target) return
  const reader = deps.record.reader(grant)
  const described = async (id: string) => claimsInSlices(await parseStored((await reader.read('Patient', id)).json))
  const before = await described(source)
  const after = target === undefined ? now : await described(target)
  const { kind, elements } = compare({ ...before, identifiers: [] }, { ...after, identifiers: [] })
  if (kind === 'contradicts' || elements.includes('multipleBirth')) throw differing(true, elements, ['MRG-1'])
}

/** Another message may have merged one of the two since they were looked for: then they are who took their place. */
async function carryOutNow(plan: Plan, read: Said, { grant, choices }: Deciding, deps: MergeDeps): Promise<string> {
  try {
    return await carryOut(plan, read, grant, deps)
  } catch (error) {
    if (!isProblem(error) || error.code !== 'ingest.merge-replaced' || plan.decided) throw error
    return carryOut(await planOf(read, plan.group, { grant, choices }, deps), read, grant, deps)
  }
}

async function carryOut(
  { target, source, prior, group }: Plan,
  read: Said,
  grant: Grant,
  deps: MergeDeps,
): Promise<string> {
  if (target !== undefined && source !== undefined) {
    if (target !== source) await mergePatients({ grant, source, target }, deps)
    return target
  }
  const patient = target ?? source ?? ''
  const added = target === undefined ? numbersOf(read, group) : []
  await checkBoth(grant, [patient], deps.record)
  await deps.record.writer(grant, { imports: 'moves' }).transact(txn => renumber(txn, patient, added, prior))
  return patient
}

/** One of the two is not known here: the numbers that are given up become old ones of the other, to be found by them. */
async function renumber(
  txn: Txn,
  id: string,
  added: readonly Identifier[],
  prior: readonly Identifier[],
): Promise<void> {
  const stored = await txn.read('Patient', id)
  if (stored === undefined) return
  const patient: Resource = parseResource(stored.json)
  const known = listOf(patient, 'identifier') as readonly Identifier[]
  const givenUp = new Set(prior.map(identifierKey))
  const old = [...known, ...prior.filter(isNew(known))].map(one =>
    givenUp.has(identifierKey(one)) ? { ...one, use: 'old' } : one,
  )
  txn.note('import hl7v2, numbers of a Patient changed')
  await txn.update('Patient', id, { ...patient, identifier: [...old, ...added.filter(isNew(old))] })
}

function isNew(known: readonly Identifier[]): (identifier: Identifier) => boolean {
  const keys = new Set(known.map(identifierKey))
  return identifier => !keys.has(identifierKey(identifier))
}
