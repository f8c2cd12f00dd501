/**
 * main – the command line. Each command lives in `commands/`; the wiring of the rooms in `compose.ts`.
 */
import { Command, Option } from 'commander'
import { isProblem } from '#kernel'
import { demo } from './commands/demo/demo.ts'
import { doctor } from './commands/doctor.ts'
import { importFile } from './commands/import-file.ts'
import { reindex, verify } from './commands/maintenance.ts'
import { output } from './commands/output.ts'
import { createPatient, listPatients } from './commands/patient.ts'
import { serve } from './commands/serve.ts'
import { token } from './commands/token.ts'

const program = new Command('kinhold').description("A family's health data, encrypted with each patient's own key.")

program.command('serve').description('serve until stopped').action(serve)

program
  .command('demo')
  .description('a family with sample data in a temporary folder, served and shown')
  .option('--once', 'end with status 0 or 1 instead of staying up')
  .action(demo)

program
  .command('import')
  .description("import a file into a patient's record; the format is recognised")
  .argument('<file>')
  .requiredOption('--patient <id>', 'id of the Patient')
  .option('--source <name>', 'where the file came from')
  .option('--json', 'print the report as JSON')
  .action(importFile)

program
  .command('token')
  .description('mint an access token; it stands alone on the last line of standard output')
  .requiredOption('--scope <scopes>', 'SMART scopes, e.g. "patient/Observation.rs"; "system/*.cruds" gives everything')
  .option('--patient <id>', 'the Patient that patient/ scopes reach')
  .addOption(new Option('--ttl <time>', 'time to live: 90s, 15m, 1h, 30d').default('1h'))
  .action(token)

const patient = program.command('patient').description('take in patients, list their ids')
patient
  .command('create')
  .option('--given <names>')
  .option('--family <name>')
  .option('--birthdate <YYYY-MM-DD>')
  .option('--gender <code>', 'male, female, other, unknown')
  .option('--account <id>', 'the account that keeps the patient')
  .action(createPatient)
patient.command('list').action(listPatients)

program.command('doctor').description('look at what commonly goes wrong on a host').action(doctor)
program.command('verify').description('open everything and name what is damaged, missing or rolled back').action(verify)
program.command('reindex').description('rebuild the index from the ledger').action(reindex)

try {
  await program.parseAsync()
} catch (error) {
  // A Problem's text is written to be shown; anything else is a fault of ours, and its stack may help to find it.
  output.say(isProblem(error) ? `${error.code}: ${error.text}` : String(error instanceof Error ? error.stack : error))
  process.exitCode = 1
}
