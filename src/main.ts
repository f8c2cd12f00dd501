/**
 * main – the command line. Each command lives in `commands/`; the wiring of the rooms in `compose.ts`.
 */
import { Command, CommanderError, Option } from 'commander'
import { isProblem, storageFaultOf, storageProblem } from '#kernel'
import software from '../package.json' with { type: 'json' }
import { tellAllocator } from './commands/allocator.ts'
import { keepCompiled } from './commands/keep-compiled.ts'
import { linesOf, outliveReaders, output } from './commands/output.ts'

/** How a command ended, for scripts: see README.md, "Commands". */
const status = { done: 0, notDone: 1, notUnderstood: 2 } as const

/** Loads a command when it is called: whoever asks for help, or mistypes, need not wait for the whole house. */
function lazily<A extends unknown[]>(load: () => Promise<(...args: A) => Promise<void>>) {
  return async (...args: A): Promise<void> => (await load())(...args)
}

/** What a command is about, as an argument or an option: `patient edit ID` and `patient edit --patient ID` mean the same. */
const targets = {
  patient: 'id of the Patient',
  client: 'id of the app, as client list shows it',
  name: 'what the person logs in with',
} as const

/** Adds a command that is about one thing; the thing stands in its options under the target's name. */
function addTargeted<O>(
  command: Command,
  target: keyof typeof targets,
  load: () => Promise<(options: O) => Promise<void>>,
): void {
  command
    .argument(`[${target}]`, targets[target])
    .option(`--${target} <${target}>`, 'the same')
    .action(async (typed: string | undefined, options: Record<string, string>) => {
      const meant = [typed, options[target]].filter(text => text !== undefined)
      if (meant.length !== 1) command.error(`error: name one ${target}, once`)
      await (await load())({ ...options, [target]: meant[0] } as O)
    })
}

const factOptions = [
  new Option('--given <names>'),
  new Option('--family <name>'),
  new Option('--birthdate <YYYY-MM-DD>'),
  new Option('--gender <code>', 'male, female, other, unknown'),
]

function withFacts(command: Command): Command {
  for (const option of factOptions) command.addOption(option)
  return command
}

/** A change that changes nothing would be a version that says nothing. */
function needsFacts(command: Command): void {
  const isSaid = factOptions.some(option => command.getOptionValue(option.attributeName()) !== undefined)
  if (!isSaid) command.error(`error: say what changes: ${factOptions.map(({ long }) => long).join(', ')}`)
}

function addServing(program: Command): void {
  program
    .command('serve')
    .description('serve until stopped; the first start makes the house')
    // Before anything is loaded or opened, because the process may begin anew.
    .hook('preAction', tellAllocator)
    .action(lazily(async () => (await import('./commands/serve.ts')).serve))
  program
    .command('mllp')
    .argument('<settings>', 'a JSON file: a list of listeners with port, token, and who may send')
    .option('--url <url>', 'the server to which messages are handed on; the one of this configuration unless told')
    .description('listen for HL7 v2 over MLLP and hand each message on to a server, until stopped')
    .action(lazily(async () => (await import('./commands/mllp.ts')).mllp))
  program
    .command('watch')
    .argument('<settings>', 'a JSON file: a list of folders with token, and for whom where they hold no messages')
    .option('--url <url>', 'the server to which files are handed on; the one of this configuration unless told')
    .option('--once', 'end when nothing is left that can be taken')
    .description('take in the files that are put into folders, until stopped')
    .action(lazily(async () => (await import('./commands/watch.ts')).watch))
  // Started by serve alone, which tells it what to do.
  program
    .command('worker', { hidden: true })
    .action(lazily(async () => (await import('./commands/workers/worker.ts')).work))
  const certificate = program
    .command('certificate')
    .description('TLS of its own (KINHOLD_TLS=own): how devices come to trust it')
  certificate
    .command('show', { isDefault: true })
    .description(
      "make the authority and the server's certificate where there are none; show fingerprints and a QR code for phones",
    )
    .option(
      '--name <names...>',
      'more names and addresses by which the server is reached, e.g. that of the host of a container',
    )
    .action(lazily(async () => (await import('./commands/certificate.ts')).showCertificate))
  certificate
    .command('client')
    .argument('<name>', 'who it is, e.g. "Laboratory"')
    .option('--out <file>', 'where it is written; <name>.p12 unless told')
    .description('a certificate for a sender of messages as PKCS#12; its password stands alone on the last line')
    .action(lazily(async () => (await import('./commands/certificate.ts')).clientCertificate))
  program
    .command('demo')
    .description('a family with sample data in a temporary folder, served and shown')
    .option('--once', 'end with status 0 or 1 instead of staying up')
    .action(lazily(async () => (await import('./commands/demo/demo.ts')).demo))
}

function addData(program: Command): void {
  program
    .command('import')
    .description("import a file into a patient's record; the format is recognised")
    .argument('<file>')
    .requiredOption('--patient <id>', targets.patient)
    .option('--source <name>', 'where the file came from')
    .option('--force', 'although the file describes somebody else, or may do so')
    .option('--json', 'print the report as JSON')
    .hook('preAction', tellAllocator)
    .action(lazily(async () => (await import('./commands/import-file.ts')).importFile))
  const patient = program.command('patient').description('take in patients, list, change and attach them')
  withFacts(patient.command('create').description('take in a patient; the new id stands alone on the last line'))
    .option('--account <name>', 'the account that keeps the patient: the name its owner logs in with')
    .action(lazily(async () => (await import('./commands/patient.ts')).createPatient))
  patient
    .command('list')
    .description('the ids of all patients, one a line')
    .option('--names', 'with name and birth date; the audit keeps that they were looked at')
    .action(lazily(async () => (await import('./commands/patient.ts')).listPatients))
  addTargeted(
    withFacts(
      patient.command('edit').description('change name, birth date or sex; an empty value takes one away'),
    ).hook('preAction', needsFacts),
    'patient',
    async () => (await import('./commands/patient.ts')).editPatient,
  )
  addTargeted(
    patient
      .command('attach')
      .description('give a patient to an account')
      .requiredOption('--account <name>', 'what its owner logs in with'),
    'patient',
    async () => (await import('./commands/patient.ts')).attachPatient,
  )
}

function addTerminology(program: Command): void {
  const load = () => import('./commands/terminology.ts')
  const terminology = program.command('terminology').description('code systems that you have a licence for')
  terminology
    .command('import')
    .description('take in a release of LOINC, SNOMED CT (RF2), RxNorm (RRF), ICD-10-CM or ICD-10 in ClaML')
    .argument('<path>', 'a zip, a folder or a file, as its publisher gives it out')
    .option('--version <text>', 'of the code system, where the files do not say it')
    .action(lazily(async () => (await load()).importTerminology))
  terminology
    .command('list')
    .description('what was imported, one a line')
    .action(lazily(async () => (await load()).listTerminology))
  terminology
    .command('remove')
    .description('take one away')
    .argument('<url|version>', 'as list shows it')
    .action(lazily(async () => (await load()).removeTerminology))
}

function addMapping(program: Command): void {
  program
    .command('mapping')
    .description('the tables by which files and messages from outside become FHIR')
    .command('check')
    .argument('[folder]', 'tables of your own, laid over those of the server; KINHOLD_MAPPINGS unless told')
    .description('what is wrong with them: file, line, place; status 1 when there is anything')
    .action(lazily(async () => (await import('./commands/mapping.ts')).checkMapping))
}

function addReview(program: Command): void {
  const load = () => import('./commands/review.ts')
  const review = program.command('review').description('what waits until a person says whom it is about')
  review.action(lazily(async () => (await load()).listReview))
  review
    .command('list')
    .description('id, time, what differs, whom it may be about; one a line')
    .action(lazily(async () => (await load()).listReview))
  review
    .command('show')
    .argument('<id>')
    .description('one of them, with what it says of the person; audited')
    .action(lazily(async () => (await load()).showReview))
  review
    .command('accept')
    .argument('<id>')
    .description('take it in')
    .addOption(new Option('--patient <id>', 'for this Patient').conflicts('new'))
    .option('--new', 'for somebody who is not here yet')
    .action(
      lazily(async () => async (id: string, options: { patient?: string; new?: true }) => {
        if (options.patient === undefined && options.new === undefined)
          review.error('error: name a --patient, or say --new')
        await (await load()).acceptReview(id, options)
      }),
    )
  review
    .command('reject')
    .argument('<id>')
    .description('throw it away')
    .action(lazily(async () => (await load()).rejectReview))
}

function addAudit(program: Command): void {
  program
    .command('audit')
    .description('records of who did what')
    .command('export')
    .description('all of them, or those of one patient, as CSV on standard output; recorded as told')
    .option('--patient <id>', 'what was done with the data of this Patient')
    .option('--since <time>', 'from this date or instant on')
    .option('--until <time>', 'what was before this date or instant')
    .action(lazily(async () => (await import('./commands/audit.ts')).exportAudit))
}

function addLetters(program: Command): void {
  const load = () => import('./commands/letters.ts')
  const letters = program.command('letters').description('messages that were refused and are kept')
  letters.action(lazily(async () => (await load()).listLetters))
  letters
    .command('list')
    .description('id, time, how often, type, sender, for whom, why; one a line')
    .action(lazily(async () => (await load()).listLetters))
  letters
    .command('show')
    .argument('<id>')
    .description('one of them, as it came; audited')
    .action(lazily(async () => (await load()).showLetter))
  letters
    .command('resend')
    .argument('[ids...]')
    .description('take them in, now that it is put right what they were refused for')
    .option('--all', 'all of them, oldest first')
    .action(
      lazily(async () => async (ids: string[], options: { all?: true }) => {
        if ((ids.length === 0) === (options.all === undefined)) letters.error('error: name some, or say --all')
        await (await load()).resendLetters(ids, options)
      }),
    )
  letters
    .command('drop')
    .argument('<ids...>')
    .description('throw them away')
    .action(lazily(async () => (await load()).dropLetters))
}

function addAccess(program: Command): void {
  program
    .command('token')
    .description('mint an access token; it stands alone on the last line of standard output')
    .requiredOption(
      '--scope <scopes>',
      'SMART scopes, e.g. "patient/Observation.rs"; "system/*.cruds" gives everything',
    )
    .option('--patient <id>', 'the Patient that patient/ scopes reach')
    .addOption(new Option('--ttl <time>', 'time to live: 90s, 15m, 1h, 30d').default('1h'))
    .action(lazily(async () => (await import('./commands/token.ts')).token))
  const account = program.command('account').description('who can log in')
  addTargeted(
    account
      .command('create')
      .description('make an account; the address at which its password is chosen stands alone on the last line'),
    'name',
    async () => (await import('./commands/account.ts')).createAccount,
  )
  account
    .command('list')
    .description('all accounts, one a line')
    .option('--names', 'with the names they log in with')
    .action(lazily(async () => (await import('./commands/account.ts')).listAccounts))
  addTargeted(
    account
      .command('reset')
      .description('an address at which a forgotten password is replaced')
      .option('--now', 'end what the account has open at once, not when the address is used')
      .option('--second-factor', 'take the second step away as well, for who lost phone and paper'),
    'name',
    async () => (await import('./commands/account.ts')).resetAccount,
  )
  addTargeted(
    account
      .command('quota')
      .description('how many patients an account keeps in its own right, and may keep')
      .option('--patients <number>', 'how many it may keep from now on; default: as KINHOLD_PATIENTS_MAX says'),
    'name',
    async () => (await import('./commands/account.ts')).accountQuota,
  )
  addTargeted(
    account
      .command('delete')
      .description(
        'delete an account after the time of waiting (KINHOLD_DELETION_WAIT), with all of whom nobody else could decide about',
      )
      .option('--now', 'at once')
      .option('--take-back', 'keep an account that waits to be deleted')
      .option('--yes', 'do not ask'),
    'name',
    async () => (await import('./commands/delete-account.ts')).deleteAccount,
  )
  account
    .command('deletions')
    .description('the accounts that wait to be deleted, one a line')
    .option('--names', 'with the names they log in with')
    .action(lazily(async () => (await import('./commands/delete-account.ts')).listDeletions))
}

function addApps(program: Command): void {
  const client = program.command('client').description('apps that were registered here')
  client
    .command('list')
    .description('all apps, one a line; names are what they call themselves')
    .action(lazily(async () => (await import('./commands/client.ts')).listClients))
  addTargeted(
    client
      .command('approve')
      .description('let an app with a key of its own act without a person')
      .option('--scope <scopes>', 'system/ scopes, if not all that it registered for'),
    'client',
    async () => (await import('./commands/client.ts')).approveClient,
  )
  addTargeted(
    client.command('end').description('end an app: its registration, its permissions, its tokens'),
    'client',
    async () => (await import('./commands/client.ts')).endClient,
  )
}

function addKeys(program: Command): void {
  program
    .command('erase')
    .description('destroy the key of a patient, and with it all that it sealed, also in backups of the data')
    .option('--patient <id>', 'the patient to erase; asks for the id once more')
    .option('--yes', 'do not ask')
    .option('--list', 'the keys that were ever destroyed: keep the list apart from the backups')
    .option('--replay <file>', 'destroy them again, in a house that was restored from backups')
    .action(lazily(async () => (await import('./commands/erase.ts')).erase))
  const rotate = program.command('rotate').description('new keys in place of old ones')
  rotate
    .command('root')
    .description('a new key file or passphrase; works beside a running server')
    .addOption(new Option('--to <kind>', 'what the root is from now on').choices(['file', 'passphrase']))
    .action(lazily(async () => (await import('./commands/rotate.ts')).rotateRoot))
  rotate
    .command('instance')
    .description('a new epoch of the instance key, for all keys and documents; the server must be stopped')
    .action(lazily(async () => (await import('./commands/rotate.ts')).rotateInstanceKey))
  addTargeted(
    rotate.command('patient').description('a new key for a patient, all sealed anew; the server must be stopped'),
    'patient',
    async () => (await import('./commands/rotate.ts')).rotatePatient,
  )
  rotate
    .command('all')
    .description('instance, everybody, root; the server must be stopped')
    .addOption(new Option('--to <kind>', 'what the root is from now on').choices(['file', 'passphrase']))
    .action(lazily(async () => (await import('./commands/rotate.ts')).rotateAll))
  const recovery = program
    .command('recovery')
    .description('the code on paper that opens the house when its root is lost')
  recovery
    .command('new')
    .description('make a code; it stands alone on the last line, and replaces an earlier one once it was tried')
    .action(lazily(async () => (await import('./commands/recovery.ts')).newRecovery))
  recovery
    .command('try')
    .description('type the code back (or name it in KINHOLD_RECOVERY_CODE_FILE)')
    .action(lazily(async () => (await import('./commands/recovery.ts')).tryRecovery))
  program
    .command('recover')
    .description('open a house that has lost its root with the recovery code, and give it a new root')
    .action(lazily(async () => (await import('./commands/recovery.ts')).recover))
}

function addUpkeep(program: Command): void {
  program
    .command('doctor')
    .description('look at what commonly goes wrong on a host')
    .action(lazily(async () => (await import('./commands/doctor.ts')).doctor))
  program
    .command('verify')
    .description('open everything and name what is damaged, missing or rolled back')
    .option('--accept-restore', 'a backup of the data was put back: take it as it is; the server must be stopped')
    .action(lazily(async () => (await import('./commands/maintenance.ts')).verify))
  program
    .command('migrate')
    .description('copy the house, sealed as it is, to another store; the server must be stopped')
    .requiredOption('--from <store>', 'sqlite, mongodb (what KINHOLD_STORE names), or mongodb://…')
    .requiredOption('--to <store>', 'the same')
    .action(lazily(async () => (await import('./commands/migrate/migrate.ts')).migrate))
  program
    .command('reindex')
    .description('rebuild the index from the ledger')
    .action(lazily(async () => (await import('./commands/maintenance.ts')).reindex))
}

/** A Problem's text is written to be shown; anything else is a fault of ours, and its stack may help to find it. */
function linesOfError(error: unknown): readonly string[] {
  if (isProblem(error)) return linesOf(error)
  const fault = storageFaultOf(error)
  if (fault !== undefined) return linesOf(storageProblem(fault))
  // What the system refused on this host it says in words of its own, e.g. `EACCES: permission denied, open '/srv/root.key'`.
  if (error instanceof Error && 'syscall' in error) return [error.message]
  return [String(error instanceof Error ? error.stack : error)]
}

function statusOf(error: unknown): number {
  // Help and the version end so as well, with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? status.done : status.notUnderstood
  for (const line of linesOfError(error)) output.say(line)
  return status.notDone
}

// SIGUSR1 would open V8's inspector to every user of the machine. `--disable-sigusr1` in the scripts does the same from the first
// moment on; this is for whoever starts the file by itself.
process.on('SIGUSR1', () => undefined)

outliveReaders()
keepCompiled(process.env)

const program = new Command('kinhold')
  .description("A family's health data, encrypted with each patient's own key.")
  .version(software.version)
  .addHelpText('after', '\nExit status: 0 done; 1 not done, or not wholly; 2 not understood.')
  .exitOverride()
for (const add of [
  addServing,
  addData,
  addTerminology,
  addMapping,
  addReview,
  addAudit,
  addLetters,
  addAccess,
  addApps,
  addKeys,
  addUpkeep,
])
  add(program)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = statusOf(error)
}
