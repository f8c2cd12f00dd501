/**
 * Makes the bundled samples: the records of a family that does not exist. Deterministic, so that running it again
 * changes no byte: `node samples/make.ts`.
 */
import { createWriteStream, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import { appleExport } from './apple-health.ts'
import { takeout } from './google-fit.ts'
import { grandmother } from './grandmother.ts'
import { admission, results } from './hl7v2.ts'

const here = new URL('./', import.meta.url)
/** Entries of a zip carry a time; a fixed one keeps the file the same. */
const made = new Date('2026-03-01T12:00:00Z')

async function writeZip(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const zip = new ZipFile()
  for (const [path, text] of Object.entries(files))
    zip.addBuffer(Buffer.from(text, 'utf8'), path, { mtime: made, mode: 0o100644 })
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(new URL(name, here)))
}

await writeZip('apple-health-export.zip', appleExport())
await writeZip('google-fit-takeout.zip', takeout())
writeFileSync(new URL('adt-a01.hl7', here), admission())
writeFileSync(new URL('oru-r01.hl7', here), results())
writeFileSync(new URL('grandmother.transaction.json', here), `${JSON.stringify(grandmother(), null, 2)}\n`)
