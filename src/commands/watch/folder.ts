import type { Stats } from 'node:fs'
import { constants, link, lstat, mkdir, open, opendir, rename, unlink, writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Problem } from '#kernel'
import { type Hand, type HandedOn, handOnFile, handOnMessages } from './hand-on.ts'

/** How a folder is watched. */
export interface Watching {
  /** An absolute path. */
  readonly folder: string
  /** For whom its files are imported; without it they hold messages. */
  readonly patient?: string
  readonly hand: Hand
  readonly everyMs: number
  /** Ends when nothing is left that can be taken, in place of looking again. */
  readonly once: boolean
  /** Told of each file whether all of it was taken in; of what stays until later as well, where that is the end. */
  became(isWhole: boolean): void
  /** Told what happens; never how a file is called, for it may be called after a patient. */
  log(text: string): void
}

const inWords = {
  taken: 'a file was taken in',
  partly: 'a file was taken in but for rows that were rejected: its report lies beside it',
  refused: 'a file was refused: its report lies beside it',
} as const

/** Names of files that somebody still writes. */
const unfinished = /^\.|\.(tmp|temp|part|partial|filepart|crdownload)$|~$/i
/** So many are looked at in one turn: the oldest of all of them is the first. */
const mostNames = 100_000
/** File systems have names of 255 bytes, and a report has a longer one than its file. */
const longestNameBytes = 200
const longestPauseMs = 60_000

/** What a file looked like; one that looks so again is complete. */
type Look = Pick<Stats, 'size' | 'mtimeMs' | 'ino'>

/**
 * Takes the files of a folder, one by one, the oldest first: each is moved to `taking`, handed on, and moved to `done` or `refused` with the
 * report beside it. What a crash left in `taking` is handed on again: the server knows it. Ends when the signal is aborted.
 */
export async function watchFolder(watching: Watching): Promise<void> {
  const { folder, hand, everyMs, once, became } = watching
  await prepare(folder)
  let seen: ReadonlyMap<string, Look> = new Map()
  let pauseMs = everyMs
  for (let rounds = 0; !hand.signal.aborted; rounds++) {
    const { now, taken, isThrough } = await round(seen, watching)
    seen = now
    if (once && !isThrough) return became(false)
    if (once && taken === 0 && rounds > 0) return
    pauseMs = isThrough ? everyMs : Math.min(longestPauseMs, pauseMs * 2)
    await wait(pauseMs, undefined, { signal: hand.signal }).catch(() => undefined)
  }
}

/** Somebody may have taken them away. One that leads elsewhere is none of them: whoever may put files here may not put them there. */
async function prepare(folder: string): Promise<void> {
  for (const name of ['taking', 'done', 'refused']) {
    const path = join(folder, name)
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (!(await lstat(path)).isDirectory())
      throw new Problem(
        'invalid',
        'command.file-unreadable',
        `"${name}" of a watched folder must be a folder of its own.`,
      )
  }
}

interface Round {
  /** What was there. */
  readonly now: ReadonlyMap<string, Look>
  /** How many were complete. */
  readonly taken: number
  readonly isThrough: boolean
}

/** A folder that cannot be read or written at this moment, on a share that is away for one, is looked at again. */
async function round(seen: ReadonlyMap<string, Look>, watching: Watching): Promise<Round> {
  try {
    await prepare(watching.folder)
    const now = await filesIn(watching.folder)
    const complete = [...now].filter(([name, look]) => isSame(seen.get(name), look)).sort(byAge)
    const names = complete.map(([name]) => name)
    return { now, taken: names.length, isThrough: await takeAll(names, watching) }
  } catch {
    watching.log('the folder cannot be read or written at this moment')
    return { now: new Map(), taken: 0, isThrough: false }
  }
}

/** @returns false when the server takes nothing at this moment */
async function takeAll(names: readonly string[], watching: Watching): Promise<boolean> {
  const { folder, hand } = watching
  const taking = join(folder, 'taking')
  for (const name of (await filesIn(taking)).keys()) if (!(await take(name, watching))) return false
  for (const name of names) {
    if (hand.signal.aborted) return true
    // Somebody else may have moved it.
    if (!(await isMoved(join(folder, name), join(taking, name)))) continue
    if (!(await take(name, watching))) return false
  }
  return true
}

/** It takes the place of nothing: another process may have taken another file of that name. */
async function isMoved(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    await unlink(from)
    return true
  } catch (error) {
    if (!isWithoutLinks(error) || (await looked(to)) !== undefined) return false
    return rename(from, to).then(
      () => true,
      () => false,
    )
  }
}

/** Shares and memory cards know no second name of a file. */
function isWithoutLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(String((error as NodeJS.ErrnoException).code))
}

function looked(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined)
}

/** Hands one on that was taken. @returns false when it stays until later */
async function take(name: string, { folder, patient, hand, log, became }: Watching): Promise<boolean> {
  const path = join(folder, 'taking', name)
  const before = await looked(path)
  let handed: HandedOn
  try {
    handed = await handOn(path, patient, hand)
  } catch {
    // Another process had it, and has moved it.
    if ((await looked(path)) === undefined) return true
    if (!hand.signal.aborted) log('a file is not handed on at this moment: it or the server cannot be reached')
    return false
  }
  if (handed.kind === 'later') {
    log(`a file is not handed on at this moment: ${handed.text}`)
    return false
  }
  const after = await looked(path)
  if (after === undefined) return true
  if (before === undefined || !isSame(before, after)) {
    log('a file was written while it was handed on: it is handed on again')
    return false
  }
  const into = join(folder, handed.kind === 'refused' ? 'refused' : 'done')
  const target = await freeName(into, name)
  // The report first: a file that is there has one.
  await writeFile(join(into, `${target}.report.${handed.form}`), handed.report, { mode: 0o600 })
  await rename(path, join(into, target))
  log(inWords[handed.kind])
  became(handed.kind === 'taken')
  return true
}

/** No link is followed: whoever may put one here may not read what it leads to. */
async function handOn(path: string, patient: string | undefined, hand: Hand): Promise<HandedOn> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const { size } = await file.stat()
  // Awaited here: the file is open until it was handed on.
  return patient === undefined ? await handOnMessages(file, size, hand) : await handOnFile(file, patient, hand)
}

/** The plain files of a folder that nobody writes any more, by their names. */
async function filesIn(folder: string): Promise<ReadonlyMap<string, Look>> {
  const files = new Map<string, Look>()
  for await (const entry of await opendir(folder)) {
    if (!entry.isFile() || unfinished.test(entry.name)) continue
    const look = await looked(join(folder, entry.name))
    if (look?.isFile()) files.set(entry.name, { size: look.size, mtimeMs: look.mtimeMs, ino: look.ino })
    if (files.size >= mostNames) break
  }
  return files
}

function isSame(before: Look | undefined, now: Look): boolean {
  return before?.size === now.size && before.mtimeMs === now.mtimeMs && before.ino === now.ino
}

function byAge([name, one]: readonly [string, Look], [otherName, other]: readonly [string, Look]): number {
  return one.mtimeMs - other.mtimeMs || (name < otherName ? -1 : 1)
}

/** The name, or one with a number where another file has it: `a.hl7`, `a-2.hl7`. */
async function freeName(folder: string, name: string): Promise<string> {
  const { name: stem, ext } = parse(shortened(name))
  for (let nth = 1; ; nth++) {
    const free = nth === 1 ? `${stem}${ext}` : `${stem}-${nth}${ext}`
    if ((await looked(join(folder, free))) === undefined) return free
  }
}

/** What is too long for a report's name beside it is cut: no more than four bytes are one character. */
function shortened(name: string): string {
  return Buffer.byteLength(name) <= longestNameBytes ? name : [...name].slice(0, longestNameBytes / 4).join('')
}
