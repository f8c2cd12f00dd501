import { unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isProblem, newSecret, Problem } from '#kernel'

/** What is wrong with a folder and what to do, by the system's code, or by ours where SQLite had the word. */
const words: Readonly<Record<string, string>> = {
  ENOSPC: 'is full. Make room there and start again',
  EDQUOT: 'is full for this user. Make room there, or raise the quota, and start again',
  EROFS: 'takes no writes: its disk is mounted read-only. Mount it writable and start again',
  EACCES: 'may not be written, or not be entered, by this user. Give it to the user who runs Kinhold',
  EPERM: 'may not be changed by this user. Give it to the user who runs Kinhold',
  ENOTDIR: 'is no folder, or lies below something that is none. Name another',
  EEXIST: 'is no folder. Name another',
  EISDIR: 'holds a folder where a file of the house should be. Name another',
  ENOENT: 'is not there. Make it, or mount its disk',
  EIO: 'cannot be read or written: look at its disk',
  EMFILE: 'cannot be opened: this process may open too few files (ulimit -n)',
  ENFILE: 'cannot be opened: this machine has too many files open',
  'storage.full': 'is full. Make room there and start again',
  'storage.read-only':
    'takes no writes: its disk, or a file of the house in it, is read-only. Make it writable and start again',
  'storage.failing': 'cannot be read or written: look at its disk, and at who may enter it',
  'storage.handles-exhausted': 'cannot be opened: too many files are open (ulimit -n)',
  'store.busy': 'is in use: another process has the house alone. Wait for it, or end it',
}

/**
 * Opens what lies in a folder, and names the folder, its variable and what to do when the disk or its rights are in the way.
 *
 * @throws Problem `conflict` · `command.folder-unusable`; and whatever else `open` throws
 */
export async function inFolder<T>(variable: string, path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    const fault = wordsFor(cause)
    if (fault === undefined) throw cause
    throw new Problem('conflict', 'command.folder-unusable', `${path} (${variable}) ${fault}.`, {
      expression: variable,
      cause,
    })
  }
}

/** The system's own code says more than the Problem that was made of it, unless that one names what to do already. */
function wordsFor(error: unknown): string | undefined {
  if (codeOf(error).startsWith('command.')) return undefined
  const cause = isProblem(error) ? error.cause : undefined
  return wordsOf(codeOf(cause)) ?? wordsOf(codeOf(error))
}

const wordsOf = (code: string): string | undefined => (Object.hasOwn(words, code) ? words[code] : undefined)

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null ? String(Reflect.get(error, 'code')) : ''
}

/**
 * Whether large bodies can be kept while they are read. A folder that is only full is no reason not to start: it is looked at
 * again and again.
 *
 * @throws Problem `conflict` · `command.folder-unusable`
 */
export async function checkTemporary(): Promise<void> {
  const path = join(tmpdir(), `kinhold-probe-${newSecret(9)}`)
  await inFolder('TMPDIR', tmpdir(), async () => {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    await unlink(path)
  })
}
