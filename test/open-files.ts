import { existsSync, readdirSync, readlinkSync } from 'node:fs'

/** The files below a folder that this process has open; none where the system does not tell. */
export function openFiles(folder: string): readonly string[] {
  if (!existsSync('/proc/self/fd')) return []
  const links = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '' // the handle of the listing itself
    }
  })
  return links.filter(link => link.startsWith(folder))
}
