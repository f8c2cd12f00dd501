import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const packageOfExamples = 'hl7.fhir.r4.examples@4.0.1'

/** A JSON object of a resource. */
export type Json = { [name: string]: unknown }

/** An example as HL7 published it. */
export interface Example {
  readonly file: string
  readonly text: string
  readonly resource: Json & { readonly resourceType: string }
}

/** HL7's examples of R4, from a folder that has them or else from npm's registry into a folder that is gone afterwards. */
export async function withExamples(
  folder: string | undefined,
  use: (examples: readonly Example[]) => Promise<void>,
): Promise<void> {
  if (folder !== undefined) return use(read(folder))
  const temporary = mkdtempSync(join(tmpdir(), 'kinhold-conformance-'))
  try {
    execFileSync('npm', ['install', '--prefix', temporary, '--no-save', '--ignore-scripts', packageOfExamples], {
      stdio: 'inherit',
    })
    await use(read(join(temporary, 'node_modules', 'hl7.fhir.r4.examples')))
  } finally {
    rmSync(temporary, { recursive: true })
  }
}

function read(folder: string): readonly Example[] {
  const files = readdirSync(folder).filter(file => /^[A-Z][A-Za-z]+-.*\.json$/.test(file))
  return files.map(file => {
    const text = readFileSync(join(folder, file), 'utf8')
    return { file, text, resource: JSON.parse(text) }
  })
}
