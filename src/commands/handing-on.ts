import { readFile, stat } from 'node:fs/promises'
import { Problem } from '#kernel'
import { configure } from './configure.ts'
import { output } from './output.ts'

/** The server of this configuration. */
export function ownAddress(): string {
  const { port, tls } = configure()
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
}

/** Whoever reads the token may write what the port may. */
export async function warnOfReaders(path: string): Promise<void> {
  const { mode } = await stat(path)
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    output.say(`warning: other users of this machine may read the token in ${path} (chmod 600)`)
}

/** @throws Problem `invalid` · `command.file-unreadable` */
export async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new Problem('invalid', 'command.file-unreadable', `The file ${path} cannot be read.`, { cause })
  }
}
