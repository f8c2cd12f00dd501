/**
 * compose – opens the rooms in the order of their floors and closes them in reverse. The wiring of the whole house; that of its web
 * face is in commands/serving.ts, which commands beside a server need not load. What stands on the record is loaded when it is opened.
 */
import { type Actor, type Grant, parseScope, type Term } from '#access'
import type { Exports } from '#bulk'
import type { Config } from '#config'
import type { Ingest } from '#ingest'
import { type Clock, closeAll, createLog, forgetRemembered, type Log, newSecret, Problem, systemClock } from '#kernel'
import { type Erasure, openRecord, type Record } from '#record'
import type { Share } from '#share'
import type { AccountEnds, GuardianLeft, Smart } from '#smart'
import type { KeyStore, Space, Store } from '#store'
import type { Subscriptions } from '#subscriptions'
import type { Validator } from '#validation'
import {
  fileRoot,
  isPaired,
  openVault,
  pairStore,
  passphraseRoot,
  type RootProvider,
  recoveryRoot,
  type Vault,
  wipeForgotten,
} from '#vault'
import { inFolder } from './commands/folder-faults.ts'
import { houseFiles } from './commands/folders.ts'
import { openStores, unfinished } from './commands/open-stores.ts'
import { namingRoot } from './commands/root-faults.ts'
import { type Colleagues, alone as noColleagues } from './commands/workers/colleagues.ts'
import { memoryOfEach } from './commands/workers/memory.ts'

/** Imports that are worked on at once, of all of them together; one in each at least. */
const importsAtWork = 2

/** What a destroyed key, or one that is in use no more, should leave in the memory of this process: nothing. */
function forget(): void {
  forgetRemembered()
  wipeForgotten()
}

/** Everything up to the record: what every command on the host needs. */
export interface Ground {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly keys: KeyStore
  /** The room on the disks. */
  readonly space: Space
  /** Whether store and keystore can be written to at this moment, as far as is known without asking. */
  isReady(): boolean
  readonly vault: Vault
  readonly record: Record
  close(): Promise<void>
}

/** A ground, and what knows accounts, apps and tokens. */
export interface Gate extends Ground {
  readonly smart: Smart
}

/** Every room below the web face. */
export interface House extends Gate {
  readonly validator: Validator
  readonly ingest: Ingest
  readonly share: Share
  readonly subscriptions: Subscriptions
  readonly bulk: Exports
}

/** FHIR base URL of a configuration. */
export function fhirBase(config: Config): string {
  return `${config.baseUrl}/fhir`
}

/** How a house is opened. */
export interface Opening {
  readonly log?: Log
  /** Whether a house is made where there is none: only a start of the server may. */
  readonly make?: boolean
  /** Whether no other process may have the house open meanwhile. */
  readonly alone?: boolean
  /** What opens the instance key, if not what the configuration names. */
  readonly root?: RootProvider
  /** Other processes that serve the same house; none unless told. */
  readonly colleagues?: Colleagues
}

/**
 * Opens the rooms up to the record on the configured folders.
 *
 * @throws Problem `not-found` · `command.house-absent`, `command.house-unfinished`, `command.keys-absent`, `command.data-absent`;
 *   `conflict` · `command.folder-foreign`, `command.folder-unusable`; of `store` or `vault` when the data or the keys cannot be opened
 */
export async function openGround(config: Config, opening: Opening = {}): Promise<Ground> {
  const { log = createLog(config.logLevel), make = false, alone = false, root = rootOf(config) } = opening
  const { colleagues = noColleagues } = opening
  const clock = systemClock
  const closing: (() => Promise<void> | void)[] = []
  const close = () => closeAll(closing.splice(0).toReversed())
  try {
    const { store, keys, space, isReady } = await openStores(config, { make, alone, log })
    closing.push(
      () => space.close(),
      () => store.close(),
      () => keys.close(),
    )
    if (!make && !(await isPaired(store))) throw unfinished(config)
    const { keyBytes, ...memory } = memoryOfEach(colleagues.count, config.populationBytes)
    const mayCreate = make && root.kind !== 'recovery'
    const vault = await inFolder('KINHOLD_KEYS', config.keysDirectory, () =>
      openVault({ keys, root, clock, mayCreate, keyBytes, forgotten: forget }).catch(error => {
        throw namingRoot(error, config)
      }),
    )
    closing.push(() => vault.close())
    await pairStore(store, vault, clock)
    const baseUrl = fhirBase(config)
    const record = await openRecord({
      store,
      vault,
      clock,
      log,
      baseUrl,
      mostPatients: config.mostPatients,
      ...memory,
      company: { leads: colleagues.leads, isAlarmed: () => colleagues.alarms().length > 0 },
    })
    closing.push(() => record.close())
    return { config, clock, log, store, keys, space, isReady, vault, record, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Opens what a command about accounts, apps or tokens needs. @throws Problem as openGround */
export function openGate(config: Config, opening: Opening = {}): Promise<Gate> {
  return onGround(config, opening, async ground => ({ ...ground, smart: await openSmartOn(ground) }))
}

/** Opens every room below the web face. @throws Problem as openGround */
export function openHouse(config: Config, opening: Opening = {}): Promise<House> {
  const { colleagues = noColleagues } = opening
  return onGround(config, opening, async ground => {
    const { record, vault, clock, log } = ground
    const { documents } = record
    // Opened after the room that tells it.
    const left: GuardianLeft = (account, patient) => share.endLinksOf(account, patient)
    const ends: AccountEnds = {
      erasePatient: (patient, actor) =>
        erasePatient({ record, share, ingest, smart, subscriptions, bulk }, patient, actor),
      endReach: async account => {
        await share.endLinksOf(account)
        await ingest.forgetAccount(account)
        await subscriptions.forgetAccount(account)
      },
    }
    const [
      smart,
      { createValidator },
      { openIngest, parseSenders },
      { openShare },
      { openFetch, openSubscriptions },
      { openBulk },
    ] = await Promise.all([
      openSmartOn(ground, { guardianLeft: left, accountEnds: ends }),
      import('#validation'),
      import('#ingest'),
      import('#share'),
      import('#subscriptions'),
      import('#bulk'),
    ])
    const known = config.senders === undefined ? [] : parseSenders(config.senders)
    const validator = createValidator()
    const ingest = openIngest({
      record,
      validator,
      clock,
      log,
      baseUrl: fhirBase(config),
      senders: { zone: config.zone, known },
      mappings: config.mappings,
      limits: { ...config.spool, maxRunning: Math.ceil(importsAtWork / colleagues.count) },
      ...(config.store.kind === 'memory' ? {} : { spoolFolder: houseFiles(config).spool }),
      ...(colleagues.imports && { elsewhere: colleagues.imports }),
      fetch: openFetch(config.notifyNetworks),
    })
    const authenticate = (bearer: string) => smart.authenticate(bearer)
    const share: Share = openShare({ record, documents, vault, clock, log, baseUrl: config.baseUrl, authenticate })
    const subscriptions = openSubscriptions({
      record,
      documents,
      vault,
      clock,
      log,
      baseUrl: fhirBase(config),
      standing: given => smart.standing(given),
      networks: config.notifyNetworks,
      ...(config.mail === undefined ? {} : { mail: config.mail }),
      leads: () => colleagues.leads(),
    })
    const bulk = openBulk({ record, clock, log })
    await smart.goOn()
    const close = () => closeAll([subscriptions, bulk, ingest, validator, ground].map(room => () => room.close()))
    return { ...ground, validator, ingest, smart, share, subscriptions, bulk, close }
  })
}

/** What cannot be built on a ground leaves it closed. */
async function onGround<T>(config: Config, opening: Opening, build: (ground: Ground) => Promise<T>): Promise<T> {
  const ground = await openGround(config, opening)
  try {
    return await build(ground)
  } catch (error) {
    await ground.close()
    throw error
  }
}

async function openSmartOn(
  { record, vault, clock, log, config }: Ground,
  told: { readonly guardianLeft?: GuardianLeft; readonly accountEnds?: AccountEnds } = {},
): Promise<Smart> {
  const [{ openSmart }, { openGuardedFetch }] = await Promise.all([import('#smart'), import('#web')])
  const { documents } = record
  const { baseUrl, sessionIdleMs, deletionWaitMs } = config
  const { recovery } = vault
  return openSmart({
    record,
    documents,
    vault,
    clock,
    log,
    baseUrl,
    sessionIdleMs,
    deletionWaitMs,
    recovery,
    fetch: openGuardedFetch(config.notifyNetworks),
    providers: { settings: config.providers, fetch: openGuardedFetch(config.providerNetworks) },
    ...told,
  })
}

/**
 * Erases a patient, and first those who were merged into this one: they are one person, and the versions from before the merge lie
 * with them. What the rooms keep beside the record goes first and the key last, so that whoever is cut off in between can do it
 * again; the end of it leaves nothing of what was deleted in the files.
 *
 * @throws Problem `not-found` · `command.patient-absent`; `conflict` · `command.patient-merged`
 */
export async function erasePatient(house: Erasing, patient: string, actor: Actor): Promise<Erasure> {
  await checkErasable(house.record, patient)
  const erasures: Erasure[] = []
  for (const one of [...(await formerOf(house, patient)), patient]) erasures.push(await eraseOne(house, one, actor))
  return erasures.includes('owed') ? 'owed' : 'whole'
}

type Erasing = Pick<House, 'record' | 'share' | 'ingest' | 'smart' | 'subscriptions' | 'bulk'>

async function eraseOne(
  { record, share, ingest, smart, subscriptions, bulk }: Erasing,
  patient: string,
  actor: Actor,
): Promise<Erasure> {
  await share.forgetPatient(patient)
  await ingest.forgetPatient(patient)
  await smart.forgetPatient(patient)
  await subscriptions.forgetPatient(patient)
  await bulk.forgetPatient(patient)
  const erasure = await record.shred(patient)
  record.audit({ action: 'erase', outcome: 'success', actor, patient })
  return erasure
}

/** Ids of those who are erased with a patient, because they were merged into this one. */
export async function formerOf(
  { record, ingest }: Pick<House, 'record' | 'ingest'>,
  patient: string,
): Promise<readonly string[]> {
  return record.keptAmong(await ingest.people.mergedInto(patient))
}

/**
 * @throws Problem `not-found` · `command.patient-absent`; `conflict` · `command.patient-merged` for one whose data are another's: to
 *   erase what is left of them would leave all that was theirs
 */
export async function checkErasable(record: Record, patient: string): Promise<void> {
  await checkKept(record, patient)
  if (!(await record.isReplaced(patient))) return
  const text =
    'The Patient was merged into another one, who has all that was theirs: erase that one, or undo the merge first.'
  throw new Problem('conflict', 'command.patient-merged', text)
}

/** @throws Problem `not-found` · `command.patient-absent` */
export async function checkKept(record: Record, patient: string): Promise<void> {
  if (await record.keepsPatient(patient)) return
  throw new Problem('not-found', 'command.patient-absent', 'No such patient is kept here.')
}

/** What an administrator on the host may do: whoever can run commands here can read the keys anyway. */
export function hostGrant(scopes: readonly string[] = ['system/*.cruds'], patient?: string): Grant {
  return {
    id: `host-${newSecret(9)}`,
    actor: { kind: 'administrator', id: 'host', display: 'Administrator on the host' },
    patients: 'all',
    terms: scopes.map(termOf),
    expiresAtMs: Number.POSITIVE_INFINITY,
    ...(patient === undefined ? {} : { patient }),
  }
}

function termOf(scope: string): Term {
  const term = parseScope(scope)
  if (term === undefined) throw new Problem('invalid', 'command.scope-malformed', 'The scope is not a SMART scope.')
  return term
}

/** What opens the instance key: the code on paper when it was given, else what the house has. */
function rootOf(config: Config): RootProvider {
  try {
    return config.recoveryCode === undefined ? ordinaryRoot(config) : recoveryRoot(config.recoveryCode)
  } catch (error) {
    throw namingRoot(error, config)
  }
}

/** The root that the house has in ordinary times. */
export function ordinaryRoot(config: Config): RootProvider {
  if (config.passphrase !== undefined) return passphraseRoot(config.passphrase)
  if (config.store.kind === 'memory') return passphraseRoot(newSecret())
  return fileRoot(houseFiles(config).root)
}
