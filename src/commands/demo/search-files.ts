import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Family, fhirClient } from './family.ts'

/** What was looked for on disk, and what was found of it. */
export interface FileSearch {
  readonly texts: number
  readonly files: number
  readonly bytes: number
  /** Files in which a text of the record can be read. */
  readonly readable: number
  /** Whether the search finds what is there: the mark that every SQLite file begins with. */
  readonly works: boolean
}

const encodings: readonly ((text: string) => Buffer)[] = [
  text => Buffer.from(text, 'utf8'),
  text => Buffer.from(text, 'utf16le'),
  text => Buffer.from(Buffer.from(text, 'utf8').toString('base64').slice(0, -4)),
]

const shortest = 6
const sqliteMark = 'SQLite format 3'

/** Looks in every file of the folders for every text of what the owner can read: names, codes, notes, values. */
export async function searchFiles(folders: readonly string[], family: Family, baseUrl: string): Promise<FileSearch> {
  const texts = await textsOfRecord(family, baseUrl)
  // Fewer bytes would be found by chance among the millions that are sealed.
  const needles = [...texts].flatMap(text => encodings.map(encode => encode(text))).filter(isLongEnough)
  const contents = await Promise.all((await filesIn(folders)).map(path => readFile(path)))
  return {
    texts: texts.size,
    files: contents.length,
    bytes: contents.reduce((sum, { length }) => sum + length, 0),
    readable: contents.filter(content => needles.some(needle => content.includes(needle))).length,
    works: contents.some(content => content.includes(sqliteMark)),
  }
}

function isLongEnough({ length }: Buffer): boolean {
  return length >= shortest
}

async function textsOfRecord(family: Family, baseUrl: string): Promise<ReadonlySet<string>> {
  const client = fhirClient(baseUrl, family.ownerToken)
  const texts = new Set<string>()
  for (const { id } of family.members)
    for (const resourceType of ['Patient', 'Observation', 'Condition', 'AllergyIntolerance', 'MedicationStatement']) {
      const searchParams: Record<string, string> = resourceType === 'Patient' ? { _id: id } : { patient: id }
      gather(await client.search({ resourceType, searchParams }), texts)
    }
  return texts
}

/** `meta` is in the server's words, such as `version`, which are also those of its tables. */
function gather(value: unknown, into: Set<string>): void {
  if (typeof value === 'string' && value.length >= shortest) into.add(value)
  else if (typeof value === 'object' && value !== null)
    for (const [name, part] of Object.entries(value)) if (name !== 'meta') gather(part, into)
}

async function filesIn(folders: readonly string[]): Promise<string[]> {
  const listed = await Promise.all(
    folders.map(async folder => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
    }),
  )
  return listed.flat()
}
