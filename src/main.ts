/**
 * main – the command line. Each command lives in `commands/`; the wiring of the rooms in `compose.ts`.
 */
import { Command, Option } from 'commander'
import { isProblem, type Problem } from '#kernel'
import { output } from './commands/output.ts'

/** Loads a command when it is called: whoever asks for help, or mistypes, need not wait for the whole house. */
function lazily<A extends unknown[]>(load: () => Promise<(...args: A) => Promise<void>>) {
  return async (...args: A): Promise<void> => (await load())(...args)
}

/** A Problem as it is shown: its code and text, and below it each element that is wrong. */
function linesOf({ code, text, issues }: Problem): string[] {
  const below = issues.map(issue => `  ${issue.expression === undefined ? '' : `${issue.expression}: `}${issue.text}`)
  return [`${code}: ${text}`, ...below]
}

const program = new Command('kinhold').description("A family's health data, encrypted with each patient's own key.")

program
  .command('serve')
  .description('serve until stopped')
  .action(lazily(async () => (await import('./commands/serve.ts')).serve))

program
  .command('demo')
  .description('a family with sample data in a temporary folder, served and shown')
  .option('--once', 'end with status 0 or 1 instead of staying up')
  .action(lazily(async () => (await import('./commands/demo/demo.ts')).demo))

program
  .command('import')
  .description("import a file into a patient's record; the format is recognised")
  .argument('<file>')
  .requiredOption('--patient <id>', 'id of the Patient')
  .option('--source <name>', 'where the file came from')
  .option('--json', 'print the report as JSON')
  .action(lazily(async () => (await import('./commands/import-file.ts')).importFile))

program
  .command('token')
  .description('mint an access token; it stands alone on the last line of standard output')
  .requiredOption('--scope <scopes>', 'SMART scopes, e.g. "patient/Observation.rs"; "system/*.cruds" gives everything')
  .option('--patient <id>', 'the Patient that patient/ scopes reach')
  .addOption(new Option('--ttl <time>', 'time to live: 90s, 15m, 1h, 30d').default('1h'))
  .action(lazily(async () => (await import('./commands/token.ts')).token))

const patient = program.command('patient').description('take in patients, list their ids')
patient
  .command('create')
  .description('take in a patient; the new id stands alone on the last line')
  .option('--given <names>')
  .option('--family <name>')
  .option('--birthdate <YYYY-MM-DD>')
  .option('--gender <code>', 'male, female, other, unknown')
  .option('--account <name>', 'the account that keeps the patient: the name its owner logs in with')
  .action(lazily(async () => (await import('./commands/patient.ts')).createPatient))
patient
  .command('list')
  .description('the ids of all patients, one a line')
  .action(lazily(async () => (await import('./commands/patient.ts')).listPatients))

program
  .command('doctor')
  .description('look at what commonly goes wrong on a host')
  .action(lazily(async () => (await import('./commands/doctor.ts')).doctor))
program
  .command('verify')
  .description('open everything and name what is damaged, missing or rolled back')
  .action(lazily(async () => (await import('./commands/maintenance.ts')).verify))
program
  .command('reindex')
  .description('rebuild the index from the ledger')
  .action(lazily(async () => (await import('./commands/maintenance.ts')).reindex))

try {
  await program.parseAsync()
} catch (error) {
  // A Problem's text is written to be shown; anything else is a fault of ours, and its stack may help to find it.
  const lines = isProblem(error) ? linesOf(error) : [String(error instanceof Error ? error.stack : error)]
  for (const line of lines) output.say(line)
  process.exitCode = 1
}
