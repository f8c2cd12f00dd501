/** Everything that a running or ended server leaves where a thief could find it. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../server/home.ts'

export interface Residue {
  readonly where: string
  readonly bytes: Buffer
}

/** All files below a home; files that came and went meanwhile are left out. */
export async function filesOf(home: Home): Promise<Residue[]> {
  const entries = await readdir(home.folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  return present(files.map(file => residueOf(join(file.parentPath, file.name))))
}

/** What a process holds open of ordinary files, also of those that have no name any more. */
export async function openFilesOf(pid: number): Promise<Residue[]> {
  const folder = `/proc/${pid}/fd`
  const numbers = await readdir(folder)
  const nameless = await Promise.all(
    numbers.map(async number => {
      const target = await readlink(join(folder, number)).catch(() => '')
      return target.startsWith('/') && target.endsWith(' (deleted)') ? join(folder, number) : undefined
    }),
  )
  return present(nameless.filter(path => path !== undefined).map(residueOf))
}

async function residueOf(path: string): Promise<Residue | undefined> {
  const bytes = await readFile(path).catch(() => undefined)
  return bytes && { where: path, bytes }
}

async function present(reading: readonly Promise<Residue | undefined>[]): Promise<Residue[]> {
  return (await Promise.all(reading)).filter(residue => residue !== undefined)
}
