import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '#kernel'
import type { Certified } from './issue.ts'

const block = (what: string) => new RegExp(`-----BEGIN ${what}-----[^-]+-----END ${what}-----\\n?`, 'g')

/** The text of a file; undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A key and its certificate, which lie in one file so that they are replaced together. */
export async function readCertified(folder: string, name: string): Promise<Certified | undefined> {
  const text = await readIfThere(join(folder, name))
  if (text === undefined) return undefined
  const [key] = text.match(block('PRIVATE KEY')) ?? []
  const [cert] = text.match(block('CERTIFICATE')) ?? []
  if (key !== undefined && cert !== undefined) return { key, cert }
  const fault = `The file ${name} in the folder tls beside the keys holds no key and certificate: restore it, or remove it to have a new one made.`
  throw new Problem('fault', 'certificates.file-damaged', fault)
}

export async function writeCertified(folder: string, name: string, { key, cert }: Certified): Promise<void> {
  await writeWhole(folder, name, `${key}${cert}`)
}

/** Whoever reads finds the old file or the new one, for the owner alone. */
export async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, name)
  const written = `${path}.${randomUUID()}.new`
  try {
    const file = await open(written, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(written, path)
  } catch (error) {
    await rm(written, { force: true })
    throw error
  }
}
