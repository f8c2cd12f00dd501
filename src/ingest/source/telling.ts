import type { Part } from './archive.ts'

/** Extensions of what may be read, those first that tell most of an archive; files without one may be anything. */
const classes: readonly (readonly string[])[] = [['xml'], ['json'], ['ndjson'], ['hl7'], ['db'], ['csv'], ['txt', '']]
/**
 * The files by which an archive is told for what it is: of each extension, in turn, first what calls itself an export, then the
 * largest – an export is larger than what lies beside it – and some from here and there. A name only says where to look first.
 *
 * @param most  how many at most
 */
export function mostTelling(parts: readonly Part[], most: number): readonly Part[] {
  const ranked = classes.map(of =>
    rank(
      parts.filter(({ extension }) => of.includes(extension)),
      most,
    ),
  )
  const inTurn = Array.from({ length: most }, (_, at) => ranked.flatMap(of => of[at] ?? []))
  return inTurn.flat().slice(0, most)
}

function rank(parts: readonly Part[], most: number): readonly Part[] {
  if (parts.length <= most) return parts.toSorted(byPromise)
  const half = Math.ceil(most / 2)
  const ordered = parts.toSorted(byPromise)
  const rest = ordered.slice(half)
  const stride = rest.length / (most - half)
  return [
    ...ordered.slice(0, half),
    ...Array.from({ length: most - half }, (_, at) => rest[Math.floor(at * stride)]).filter(isThere),
  ]
}

function isThere(part: Part | undefined): part is Part {
  return part !== undefined
}

function byPromise(one: Part, other: Part): number {
  return Number(isExport(other)) - Number(isExport(one)) || other.sizeBytes - one.sizeBytes
}

function isExport({ baseName }: Part): boolean {
  return /^export\.\w+$/i.test(baseName)
}
