import { Problem } from '#kernel'

/** A folder into which somebody puts files. */
export interface FolderSettings {
  readonly folder: string
  /** A file with the access token with which its files are handed on; read again for each. */
  readonly token: string
  /** Id of the Patient for whom each file is imported; without it files hold HL7 v2 messages. */
  readonly patient?: string
}

/**
 * Reads the file of settings.
 *
 * @param text  JSON: a list of folders
 * @throws Problem `invalid` · `command.watch-malformed` with the place
 */
export function parseFolders(text: string): readonly FolderSettings[] {
  const list = parsed(text)
  if (!Array.isArray(list) || list.length === 0) throw malformed('the settings', 'a list of folders')
  const folders = list.map((one, at) => folderOf(one, `[${at}]`))
  if (new Set(folders.map(({ folder }) => folder)).size < folders.length)
    throw malformed('"folder" of the settings', 'another one in each entry')
  return folders
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('the settings', 'JSON')
  }
}

const members = ['folder', 'token', 'patient']

function folderOf(value: unknown, place: string): FolderSettings {
  if (typeof value !== 'object' || value === null) throw malformed(`"${place}"`, 'an object')
  const given = new Map<string, string>(Object.entries(value))
  for (const [name, text] of given)
    if (!members.includes(name) || typeof text !== 'string' || text === '')
      throw malformed(`"${place}.${name}"`, members.includes(name) ? 'a text' : 'absent: nothing has that name')
  const text = (name: string): string => {
    const found = given.get(name)
    if (found === undefined) throw malformed(`"${place}.${name}"`, 'a text')
    return found
  }
  const whom = given.has('patient') ? { patient: text('patient') } : {}
  return { folder: text('folder'), token: text('token'), ...whom }
}

function malformed(place: string, what: string): Problem {
  return new Problem('invalid', 'command.watch-malformed', `In the file of folders ${place} must be ${what}.`)
}
